import { type Channel, channel } from 'node:diagnostics_channel';
import type { DurationListener, TimedEvent } from '../api/durations.ts';
import { invalidOption } from '../api/errors.ts';
import type { PoolEventName, PoolEvents, PoolListener } from '../api/events.ts';
import { EVENT_NAMES } from '../api/events.ts';
import type { ResolvedOptions } from '../api/options.ts';
import { checkKeys } from '../api/spelling.ts';
import type { CountedErrorCode, PoolStats } from '../api/stats.ts';
import { warnThrown } from '../util/warn.ts';

type Listener = (event: never) => unknown;

/** What an event carries besides the pool's name and stats. */
export type Detail<E extends PoolEventName> = Omit<PoolEvents[E], 'pool' | 'stats'>;

/** The listeners of one event. */
interface Topic {
  /** Replaced, never modified, so that a listener may add and remove listeners. */
  listeners: readonly Listener[] | undefined;
  readonly channel: Channel;
}

/**
 * Counts events, and emits them to listeners of the pool and to the diagnostics channels `bounded-redis-pool:<event>`.
 * Counters and events cannot disagree, since both are made together.
 */
export class Events {
  /** The pool's name. */
  readonly pool: string;
  /** Errors made, by code. Replaced, never modified, so that snapshots can share it. */
  errors: PoolStats['errors'] = Object.freeze({
    POOL_EXHAUSTED: 0,
    POOL_ACQUIRE_TIMEOUT: 0,
    POOL_CONNECT_FAILED: 0,
    POOL_CONNECTION_LOST: 0,
    POOL_CLOSED: 0,
    POOL_LEASE_RELEASED: 0,
    POOL_STATEFUL_COMMAND: 0,
  });
  /** How often each event has happened. */
  readonly counts: Record<PoolEventName, number> = {
    acquire: 0,
    release: 0,
    wait: 0,
    timeout: 0,
    abort: 0,
    exhausted: 0,
    connecting: 0,
    connect: 0,
    connectError: 0,
    close: 0,
    leak: 0,
    clear: 0,
    drain: 0,
  };
  /** The listeners for durations only. Replaced, never modified. */
  #durations: readonly DurationListener[] | undefined;
  readonly #topics: Readonly<Record<PoolEventName, Topic>>;

  constructor(
    { name, hooks }: Pick<ResolvedOptions, 'name' | 'hooks'>,
    readonly stats: () => PoolStats,
  ) {
    this.pool = name;
    const topic = (event: PoolEventName): Topic => {
      const hook = hooks[event] as Listener | undefined;
      return { listeners: hook && [hook], channel: channel(`bounded-redis-pool:${event}`) };
    };
    this.#topics = Object.fromEntries(EVENT_NAMES.map((event) => [event, topic(event)])) as Record<
      PoolEventName,
      Topic
    >;
  }

  /** What errors say of where they come from. */
  get label(): string {
    return this.pool;
  }

  /** Counts an error that the pool makes. */
  countError(code: CountedErrorCode): void {
    this.errors = Object.freeze({ ...this.errors, [code]: this.errors[code] + 1 });
  }

  /** Counts `event`. Returns whether it has listeners: only then the caller builds the detail, and calls `emit`. */
  count(event: PoolEventName): boolean {
    const topic = this.#topics[event];
    this.counts[event]++;
    return topic.listeners !== undefined || topic.channel.hasSubscribers;
  }

  /** Whether an event has listeners. */
  heard(event: PoolEventName): boolean {
    const { listeners, channel } = this.#topics[event];
    return listeners !== undefined || channel.hasSubscribers;
  }

  /** Whether a listener of an acquire wants the async context of its caller. */
  get contextWanted(): boolean {
    return this.heard('acquire') || this.#durations?.some((one) => one.inCallersContext) === true;
  }

  /** Calls the listeners for durations. */
  took(event: TimedEvent, ms: number): void {
    if (this.#durations === undefined) return;
    for (const listener of this.#durations) {
      try {
        listener[event]?.(ms);
      } catch (error) {
        warnThrown(`what measures '${event}' of pool ${this.pool} threw`, error);
      }
    }
  }

  /** Adds a listener for durations; returns a function that removes it. */
  addDurations(listener: DurationListener): () => void {
    this.#durations = [...(this.#durations ?? []), listener];
    return () => {
      const others = this.#durations?.filter((one) => one !== listener) ?? [];
      this.#durations = others.length > 0 ? others : undefined;
    };
  }

  /** Calls the listeners of `event`, and publishes it to its diagnostics channel. */
  emit<E extends PoolEventName>(event: E, detail: Detail<E>): void {
    const payload = { pool: this.pool, stats: this.stats(), ...detail } as unknown as PoolEvents[E];
    const { listeners = [], channel } = this.#topics[event];
    for (const listener of listeners) this.#call(event, listener, payload);
    channel.publish(payload);
  }

  add<E extends PoolEventName>(event: E, listener: PoolListener<E>): void {
    checkListener(event, listener);
    const topic = this.#topics[event];
    topic.listeners = [...(topic.listeners ?? []), listener];
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
    const topic = this.#topics[event];
    const all = topic.listeners ?? [];
    const at = all.findLastIndex((l) => l === listener || ('listener' in l && l.listener === listener));
    if (at === -1) return;
    topic.listeners = all.length === 1 ? undefined : all.toSpliced(at, 1);
  }

  removeAll(): void {
    for (const event of EVENT_NAMES) this.#topics[event].listeners = undefined;
    this.#durations = undefined;
  }

  /** A listener's throw, or the rejection of its promise, is reported as a warning, and does not affect the pool. */
  #call<E extends PoolEventName>(event: E, listener: Listener, payload: PoolEvents[E]): void {
    const report = (error: unknown): void =>
      warnThrown(`a listener for '${event}' of pool ${this.pool} threw`, error);
    try {
      const result = (listener as (payload: PoolEvents[E]) => unknown)(payload);
      if (isThenable(result)) Promise.resolve(result).catch(report);
    } catch (error) {
      report(error);
    }
  }
}

/** Whether it is a promise, also one of another realm or library. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}

function checkListener(event: string, listener: unknown): void {
  checkKeys('event', { [event]: listener }, EVENT_NAMES);
  if (typeof listener !== 'function') throw invalidOption(`a listener for '${event}' must be a function`);
}
