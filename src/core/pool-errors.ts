import type { PoolError } from '../api/errors.ts';
import { checkTime } from '../api/options.ts';
import type { AcquireOptions } from '../api/redis-pool.ts';
import { checkKeys } from '../api/spelling.ts';
import { checkSignal, reasonOf } from './abort-signals.ts';
import { type PoolContext, poolError } from './context.ts';
import { describe } from './stats.ts';
import type { GiveUp, Waiter } from './wait-queue.ts';

/** Someone who waited, and for how long at most. */
type Impatient = Pick<Waiter<unknown>, 'since' | 'timeoutMs' | 'signal'>;

/** Said when leases hold all there is. */
const NESTED =
  'Whoever holds a lease and waits for another connection may wait for itself: within use(), send everything over its lease, and nothing over pool.use() or pool.redis';

/** Who may come in, who may wait, and what those are told who may not, or who gave up. */
export class PoolErrors {
  readonly #context: PoolContext;
  readonly #line: { readonly down: boolean; readonly lastError: Error | undefined };

  /** `line` tells what is known of the way to Redis. */
  constructor(context: PoolContext, line: { readonly down: boolean; readonly lastError: Error | undefined }) {
    this.#context = context;
    this.#line = line;
  }

  /** Why nobody can connect for now, if Redis is down for all we know. */
  get down(): Error | undefined {
    return this.#line.lastError && this.#line.down ? this.#line.lastError : undefined;
  }

  /** Reads what an acquire was given, once; throws if it is refused whatever the pool has to give. */
  mayCome(options: AcquireOptions | undefined, closing: boolean): AcquireOptions {
    if (closing) throw this.closed();
    if (options === undefined) return {};
    const { signal, timeoutMs } = readAcquireOptions(options);
    if (signal?.aborted) throw this.#aborted(0, signal);
    return { signal, timeoutMs };
  }

  /** Throws if a caller must not wait. `excess`: how many more are in line than there is room for. */
  mayWait(excess: number, maxWaiting: number): void {
    const { options } = this.#context;
    const { down } = this;
    if (down) throw this.connectFailed(down);
    if (excess < (options.wait ? maxWaiting : 0)) return;
    const why = options.wait ? `${maxWaiting} callers wait already (maxWaiting)` : 'wait is false';
    throw this.exhausted(`no connection is free, and ${why}`);
  }

  /** There is too much of something; `why` says of what. */
  exhausted(why: string): PoolError {
    const { events } = this.#context;
    const message = `${why} ${this.#numbers()}`;
    if (events.count('exhausted')) events.emit('exhausted', { waiting: events.stats().waiting });
    return poolError(this.#context, 'POOL_EXHAUSTED', message, this.#line.lastError);
  }

  /** What a waiter is told that left on its own account. */
  gaveUp({ since, timeoutMs, signal }: Impatient, why: GiveUp): unknown {
    const { events, deps } = this.#context;
    const waitedMs = deps.clock.now() - since;
    if (why === 'abort') return this.#aborted(waitedMs, signal);
    const message = `no connection within ${timeoutMs} ms ${this.#numbers()}`;
    if (events.count('timeout')) events.emit('timeout', { waitedMs });
    return poolError(this.#context, 'POOL_ACQUIRE_TIMEOUT', message, this.#line.lastError);
  }

  closed(): PoolError {
    return poolError(this.#context, 'POOL_CLOSED', 'the pool is closed');
  }

  /** The dial failed, just now or a moment ago. */
  connectFailed(cause: Error): PoolError {
    return poolError(this.#context, 'POOL_CONNECT_FAILED', whyNoConnection(cause), cause);
  }

  #aborted(waitedMs: number, signal: AbortSignal | undefined): unknown {
    const { events } = this.#context;
    if (events.count('abort')) events.emit('abort', { waitedMs });
    return signal && reasonOf(signal);
  }

  /** What someone wants to know who is called at night, in brackets. */
  #numbers(): string {
    const { deps, slots, events } = this.#context;
    const leased = [...slots.all].filter((slot) => slot.leased);
    const oldest = Math.max(...leased.map((slot) => deps.clock.now() - slot.since));
    const held = leased.length > 0 ? `, oldest ${Math.round(oldest)} ms` : '';
    // Who holds a lease is not known: to follow the callers would cost every promise of the process.
    const nested = leased.length === slots.maxActive ? `. ${NESTED}` : '';
    return `(${describe(events.stats())}; ${leased.length} leases held${held})${nested}`;
  }
}

/** What is said of a dial that failed. Node's error for a host with several addresses has no message of its own. */
export function whyNoConnection(error: Error): string {
  const inner = error instanceof AggregateError ? error.errors[0] : undefined;
  return `cannot connect: ${error.message || (inner instanceof Error ? inner.message : error.name)}`;
}

function readAcquireOptions(options: AcquireOptions): AcquireOptions {
  checkKeys('option', options, ['signal', 'timeoutMs']);
  const { signal, timeoutMs } = options;
  if (timeoutMs !== undefined) checkTime('timeoutMs', timeoutMs);
  if (signal !== undefined) checkSignal(signal);
  return { signal, timeoutMs };
}
