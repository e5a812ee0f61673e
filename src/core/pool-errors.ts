import { type PoolErrorCode, WHAT_TO_DO } from '../api/error-codes.ts';
import { PoolError } from '../api/errors.ts';
import { dateIn } from '../util/clock.ts';
import { reasonOf } from './abort-signals.ts';
import type { PoolContext } from './context.ts';
import type { Events } from './events.ts';
import { describe } from './stats.ts';
import type { GiveUp, Waiter } from './wait-queue.ts';

/** The fields of a waiter that its error needs. */
type Impatient = Pick<Waiter<unknown>, 'since' | 'timeoutMs' | 'signal'>;

/** Added to an error when leases hold all connections. */
const NESTED =
  'Whoever holds a lease and waits for another connection may wait for itself: within use(), send everything over its lease, and nothing over pool.use() or pool.redis';

/** Why there may be no connection. */
interface Trouble {
  readonly lastConnectError: Error | undefined;
  /** Since when Redis is away, if it is. */
  readonly awaySince: number | undefined;
}

const MAY_HAVE_RUN = 'the command may have run';

/** An error of the pool that `events` are of, with its numbers; the message ends with what to do, and the pool's name. */
export function makeError(
  events: Events,
  code: PoolErrorCode,
  message: string,
  cause?: unknown,
  advice: string | undefined = WHAT_TO_DO[code],
): PoolError {
  if (code !== 'POOL_INVALID_OPTION') events.countError(code);
  const whole = advice ? `${message}; ${advice}` : message;
  return new PoolError(code, `${whole} [${events.label}]`, {
    pool: events.pool,
    stats: events.stats(),
    cause,
  });
}

/** Makes the errors of one pool. Where there is an event for it, that is counted and emitted first. */
export class PoolErrors {
  readonly #context: Omit<PoolContext, 'errors'>;
  readonly #trouble: () => Trouble;

  constructor(context: Omit<PoolContext, 'errors'>, trouble: () => Trouble) {
    this.#context = context;
    this.#trouble = trouble;
  }

  /** An error with the pool's numbers; its message ends with what to do, and the pool's name. */
  make(code: PoolErrorCode, message: string, cause?: unknown, advice?: string): PoolError {
    return makeError(this.#context.events, code, message, cause, advice);
  }

  /** A connection is lost; `consequence` is what that means for the command, and `advice` what to do. */
  lost(cause: unknown, consequence = MAY_HAVE_RUN, advice?: string): PoolError {
    return this.make('POOL_CONNECTION_LOST', `connection lost: ${consequence}`, cause, advice);
  }

  /** Something would exceed its limit; `why` says what. */
  exhausted(why: string): PoolError {
    const { events } = this.#context;
    const message = `${why} ${this.#numbers()}`;
    if (events.count('exhausted')) events.emit('exhausted', { waiting: events.stats().waiting });
    return this.make('POOL_EXHAUSTED', message, this.#trouble().lastConnectError);
  }

  /** The error for a waiter whose deadline passed, or whose signal was aborted. */
  gaveUp({ since, timeoutMs, signal }: Impatient, why: GiveUp): unknown {
    if (why === 'timeout') return this.timedOut(since, timeoutMs);
    return this.aborted(this.#context.deps.clock.now() - since, signal);
  }

  /** No connection came in time for what has waited `since` then. */
  timedOut(since: number, timeoutMs: number): PoolError {
    const { events, deps } = this.#context;
    const waitedMs = deps.clock.now() - since;
    const message = `no connection within ${timeoutMs} ms ${this.#numbers()}`;
    if (events.count('timeout')) events.emit('timeout', { waitedMs });
    const { lastConnectError, awaySince } = this.#trouble();
    const nested = message.includes(NESTED) ? '' : undefined; // which is the better advice
    const advice = awaySince === undefined ? nested : WHAT_TO_DO.POOL_CONNECT_FAILED;
    return this.make('POOL_ACQUIRE_TIMEOUT', message, lastConnectError, advice);
  }

  /** The reason of `signal`, which was aborted. */
  aborted(waitedMs: number, signal: AbortSignal | undefined): unknown {
    const { events } = this.#context;
    if (events.count('abort')) events.emit('abort', { waitedMs });
    return signal && reasonOf(signal);
  }

  /** The error for the commands of a connection that is closed because a reply is overdue. */
  unanswered(option: 'replyTimeoutMs' | 'leaseReplyTimeoutMs'): PoolError {
    const silence = `no reply within ${this.#context.options[option]} ms (${option})`;
    const cause = Object.assign(new Error(silence), { code: 'ETIMEDOUT' });
    return this.lost(cause, `${silence}; ${MAY_HAVE_RUN}`);
  }

  closed(): PoolError {
    return this.make('POOL_CLOSED', 'the pool is closed');
  }

  /** The error for a failed dial; `cause` is the dial's own error. */
  connectFailed(cause: Error): PoolError {
    return this.make('POOL_CONNECT_FAILED', whyNoConnection(cause), cause);
  }

  /** The state of the pool in brackets, for whoever has to find out why. */
  #numbers(): string {
    const { deps, slots, events } = this.#context;
    const leased = [...slots.all].filter((slot) => slot.leased);
    const oldest = Math.max(...leased.map((slot) => deps.clock.now() - slot.since));
    const held = leased.length > 0 ? `, oldest ${Math.round(oldest)} ms` : '';
    // Which caller holds a lease is unknown: tracking that would slow down every promise of the process.
    const nested = leased.length === slots.maxActive ? `. ${NESTED}` : '';
    return `(${describe(events.stats())}; ${leased.length} leases held${held})${nested}${this.#away()}`;
  }

  #away(): string {
    const since = this.#trouble().awaySince;
    if (since === undefined) return '';
    const ago = this.#context.deps.clock.now() - since;
    return `; Redis has been away for ${Math.round(ago)} ms, since ${dateIn(-ago).toISOString()}`;
  }
}

/** The message for a failed dial. Node's error for a host with several addresses has no message of its own. */
export function whyNoConnection(error: Error): string {
  const inner = error instanceof AggregateError ? error.errors[0] : undefined;
  return `cannot connect: ${error.message || (inner instanceof Error ? inner.message : error.name)}`;
}
