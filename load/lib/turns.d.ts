import type { Scenario } from './scenario.d.ts';

/** A task's name, by `chance` (from 0 up to 1), each as often as its weight says. */
export function pick(tasks: Scenario['tasks'], chance: number): string;
/** When a user's wait ends. `wait` in seconds, all else in milliseconds. */
export function nextTurn(when: {
  readonly now: number;
  readonly origin: number;
  readonly wait: readonly [number, number];
  readonly scale: number;
  readonly waveMs: number;
  readonly chance: number;
}): number;
