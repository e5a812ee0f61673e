import type { PoolErrorCode } from './error-codes.ts';
import type { PoolStats } from './stats.ts';

const BRAND = Symbol.for('bounded-redis-pool.PoolError');

/** Every error that the pool itself raises. */
export class PoolError extends Error {
  /** For logs; to tell it from other errors, use {@link isPoolError}. */
  override readonly name = 'PoolError';
  /** See {@link PoolErrorCode}. */
  readonly code: PoolErrorCode;
  /** The name of the pool; `undefined` only if the constructor threw. */
  readonly pool: string | undefined;
  /** A snapshot of when the error was made; `undefined` only if the constructor threw. Not printed with the error. */
  declare readonly stats: PoolStats | undefined;

  constructor(
    code: PoolErrorCode,
    message: string,
    {
      pool,
      stats,
      cause,
    }: { pool?: string | undefined; stats?: PoolStats | undefined; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.pool = pool;
    // Not enumerable: a logged error would be two screens of numbers.
    Object.defineProperties(this, { stats: { value: stats }, [BRAND]: { value: true } });
  }

  /**
   * ioredis sets this on the error of an EXEC to the errors of the queued commands, which all say the same: not
   * printed.
   *
   * @internal
   */
  set previousErrors(value: unknown) {
    Object.defineProperty(this, 'previousErrors', { value, writable: true, configurable: true });
  }

  /** For JSON: the message and the cause of an Error are not enumerable. */
  toJSON(): object {
    const { name, code, pool, message, cause } = this;
    return { name, code, pool, message, cause: cause instanceof Error ? brief(cause) : undefined };
  }
}

function brief({ name, message, code }: Error & { code?: unknown }): object {
  return { name, message, code: typeof code === 'string' ? code : undefined };
}

/**
 * A copy of an error. Commands that fail together get one each, since whoever receives an error may write to it:
 * ioredis writes the caller's stack to it, and the errors of a transaction to that of its EXEC.
 */
export function another<E>(error: E): E;
export function another(error: unknown): unknown {
  if (error instanceof PoolError) return new PoolError(error.code, error.message, error);
  if (!(error instanceof Error)) return error;
  const copy = new Error(error.message, error.cause === undefined ? undefined : { cause: error.cause });
  return Object.assign(Object.setPrototypeOf(copy, Object.getPrototypeOf(error)), error);
}

/**
 * Whether `error` is a {@link PoolError}, and one of `code` if given, to which `error.code` narrows. Unlike `instanceof`, it also knows the
 * errors of another copy of this library (ESM beside CJS, two versions).
 *
 * @example
 * try {
 *   await pool.use((redis) => redis.ping(), { timeoutMs: 100 });
 * } catch (error) {
 *   if (!isPoolError(error, 'POOL_EXHAUSTED')) throw error;
 *   console.log('answer 503', error.stats?.waiting);
 * }
 */
export function isPoolError(error: unknown): error is PoolError;
export function isPoolError<C extends PoolErrorCode>(
  error: unknown,
  code: C | undefined,
): error is PoolError & { readonly code: C };
export function isPoolError(error: unknown, code?: PoolErrorCode): boolean {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || ('code' in error && error.code === code);
}

/** The error for a value that is not allowed. `message` must hold no value of option `redis`, which has secrets. */
export function invalidOption(message: string, cause?: unknown): PoolError {
  return new PoolError('POOL_INVALID_OPTION', message, { cause });
}
