import type { ResolvedOptions } from '../api/options.ts';
import { bytesOf } from '../ioredis/lean-command.ts';
import type { Clock } from '../util/clock.ts';
import type { Unit } from './journey.ts';

/** What was refused for now is tried again after so long, then twice as long, and so on up to the longest. Milliseconds. */
const DELAY_MS = 20;
const LONGEST_DELAY_MS = 320;

type Bounds = Pick<ResolvedOptions, 'maxQueuedCommands' | 'maxQueuedBytes'>;

interface Waiting {
  readonly unit: Unit;
  readonly due: number;
  readonly deadline: number;
  readonly bytes: number;
}

/** What cannot be done now, and waits until it is tried again, or its time is over. One timer for all. */
export class WaitingUnits {
  /** How many commands there are in all. */
  commands = 0;
  #bytes = 0;
  #units: Waiting[] = [];
  #cancel: (() => void) | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  /** How many there have been. */
  #count = 0;
  readonly #clock: Clock;
  readonly #bounds: Bounds;
  readonly #retry: (due: readonly Unit[], late: readonly Unit[]) => void;

  /** `retry` is given what has waited for long enough, and what has waited until its deadline. */
  constructor(clock: Clock, bounds: Bounds, retry: (due: readonly Unit[], late: readonly Unit[]) => void) {
    this.#clock = clock;
    this.#bounds = bounds;
    this.#retry = retry;
  }

  /** Takes a unit; returns why not, if there are too many. */
  add(unit: Unit, deadline: number): string | undefined {
    const bytes = weigh(unit);
    const { maxQueuedCommands, maxQueuedBytes } = this.#bounds;
    if (this.commands >= maxQueuedCommands || (this.commands > 0 && this.#bytes + bytes > maxQueuedBytes)) {
      return `${this.commands} commands of ${this.#bytes} bytes wait for their nodes already (maxQueuedCommands, maxQueuedBytes)`;
    }
    const now = this.#clock.now();
    const delay = Math.min(DELAY_MS << Math.min(unit.delays++, 10), LONGEST_DELAY_MS);
    unit.hops = 0;
    unit.turn ??= this.#count++;
    this.#put({ unit, due: Math.min(now + delay, deadline), deadline, bytes });
    return undefined;
  }

  /** All of them, which wait no longer, in the order in which they came first. */
  takeAll(): Unit[] {
    const all = this.#units;
    this.#units = [];
    this.commands = 0;
    this.#bytes = 0;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#dueAt = Number.POSITIVE_INFINITY;
    return inOrder(all.map(({ unit }) => unit));
  }

  #put(entry: Waiting): void {
    this.#units.push(entry);
    this.commands += entry.unit.commands.length;
    this.#bytes += entry.bytes;
    if (entry.due >= this.#dueAt) return;
    this.#cancel?.();
    this.#dueAt = entry.due;
    this.#cancel = this.#clock.after(Math.max(1, entry.due - this.#clock.now()), this.#checkDue);
  }

  readonly #checkDue = (): void => {
    const now = this.#clock.now();
    const all = this.#units;
    this.takeAll();
    const due: Unit[] = [];
    const late: Unit[] = [];
    for (const entry of all) {
      if (entry.deadline <= now) late.push(entry.unit);
      else if (entry.due <= now) due.push(entry.unit);
      else this.#put(entry);
    }
    this.#retry(inOrder(due), late);
  };
}

/** Those that were looked at and have waited on are behind others that came later. */
function inOrder(units: Unit[]): Unit[] {
  return units.sort((a, b) => (a.turn ?? 0) - (b.turn ?? 0));
}

function weigh({ commands }: Unit): number {
  let bytes = 0;
  for (const command of commands) bytes += bytesOf(command);
  return bytes;
}
