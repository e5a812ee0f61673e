import { type Channel, channel } from 'node:diagnostics_channel';
import { invalidOption } from './errors.ts';
import { checkKeys, EVENT_NAMES, type ResolvedOptions } from './options.ts';
import type { PoolEventName, PoolEvents, PoolListener, PoolStats } from './redis-pool.ts';
import { warn } from './warn.ts';

type Listener = (event: never) => unknown;

/** What a listener is told besides the pool's name and stats. */
export type Detail<E extends PoolEventName> = Omit<PoolEvents[E], 'pool' | 'stats'>;

const CHANNELS = Object.fromEntries(
  EVENT_NAMES.map((event) => [event, channel(`bounded-redis-pool:${event}`)]),
) as unknown as Readonly<Record<PoolEventName, Channel>>;

/**
 * Counts what happens, and tells who listens: listeners of the pool, and the diagnostics channels
 * `bounded-redis-pool:<event>`. Counters and events cannot disagree, since one call makes both.
 */
export class Events {
  /** How often each event happened. */
  readonly counts = Object.fromEntries(EVENT_NAMES.map((event) => [event, 0])) as Record<
    PoolEventName,
    number
  >;
  /** Lists are replaced, never changed, so that a listener may add and remove listeners. */
  readonly #listeners: { [event: string]: readonly Listener[] | undefined } = {};

  /** The pool's name. */
  readonly pool: string;

  constructor(
    { name, hooks }: Pick<ResolvedOptions, 'name' | 'hooks'>,
    readonly stats: () => PoolStats,
  ) {
    this.pool = name;
    for (const event of EVENT_NAMES) {
      const hook = hooks[event] as Listener | undefined;
      if (hook) this.#listeners[event] = [hook];
    }
  }

  /** Counts `event`. Returns whether anyone listens: only then is it worth building what `emit` wants. */
  count(event: PoolEventName): boolean {
    this.counts[event]++;
    return this.heard(event);
  }

  /** Whether anyone listens. */
  heard(event: PoolEventName): boolean {
    return this.#listeners[event] !== undefined || CHANNELS[event].hasSubscribers;
  }

  /** Tells everyone who listens. */
  emit<E extends PoolEventName>(event: E, detail: Detail<E>): void {
    const payload = { pool: this.pool, stats: this.stats(), ...detail } as unknown as PoolEvents[E];
    for (const listener of this.#listeners[event] ?? []) this.#call(event, listener, payload);
    CHANNELS[event].publish(payload);
  }

  add<E extends PoolEventName>(event: E, listener: PoolListener<E>): void {
    checkListener(event, listener);
    this.#listeners[event] = [...(this.#listeners[event] ?? []), listener];
  }

  addOnce<E extends PoolEventName>(event: E, listener: PoolListener<E>): void {
    checkListener(event, listener);
    const once = Object.assign(
      (payload: PoolEvents[E]): unknown => {
        this.remove(event, listener);
        return listener(payload);
      },
      { listener },
    );
    this.add(event, once);
  }

  /** Removes the listener added last, if it was added more than once. */
  remove<E extends PoolEventName>(event: E, listener: PoolListener<E>): void {
    checkListener(event, listener);
    const all = this.#listeners[event] ?? [];
    const at = all.findLastIndex((l) => l === listener || ('listener' in l && l.listener === listener));
    if (at === -1) return;
    this.#listeners[event] = all.length === 1 ? undefined : all.toSpliced(at, 1);
  }

  removeAll(): void {
    for (const event of EVENT_NAMES) this.#listeners[event] = undefined;
  }

  /** A listener's throw, or its promise's rejection, is its own matter: reported, and kept from the pool. */
  #call<E extends PoolEventName>(event: E, listener: Listener, payload: PoolEvents[E]): void {
    const report = (error: unknown): void =>
      warn(`a listener for '${event}' of pool ${this.pool} threw`, error);
    try {
      const result = (listener as (payload: PoolEvents[E]) => unknown)(payload);
      if (result instanceof Promise) result.catch(report);
    } catch (error) {
      report(error);
    }
  }
}

function checkListener(event: string, listener: unknown): void {
  checkKeys('event', { [event]: listener }, EVENT_NAMES);
  if (typeof listener !== 'function') throw invalidOption(`a listener for '${event}' must be a function`);
}
