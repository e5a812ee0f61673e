import type { PoolErrorCode } from './error-codes.ts';
import type { PoolStats } from './stats.ts';

const BRAND = Symbol.for('bounded-redis-pool.PoolError');

/** Every error that the pool itself raises. */
export class PoolError extends Error {
  override readonly name = 'PoolError';
  /** See {@link PoolErrorCode}. */
  readonly code: PoolErrorCode;
  /** The name of the pool; `undefined` only where no pool came to be. */
  readonly pool: string | undefined;
  /** The pool when the error was made; `undefined` only where no pool came to be. Not printed with the error. */
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
    // Not enumerable, or a logged error would be two screens of numbers.
    Object.defineProperties(this, { stats: { value: stats }, [BRAND]: { value: true } });
  }

  /**
   * ioredis puts the errors of a transaction's commands into that of its EXEC, and all say the same: not printed either.
   *
   * @internal
   */
  set previousErrors(value: unknown) {
    Object.defineProperty(this, 'previousErrors', { value, writable: true, configurable: true });
  }

  /** What JSON tells: an Error's own message, and its cause, are not enumerable. */
  toJSON(): object {
    const { name, code, pool, message, cause } = this;
    return { name, code, pool, message, cause: cause instanceof Error ? brief(cause) : undefined };
  }
}

function brief({ name, message, code }: Error & { code?: unknown }): object {
  return { name, message, code: typeof code === 'string' ? code : undefined };
}

/**
 * Another error that says the same. Commands that fail together get one each: whoever is given an error may write on it,
 * as ioredis does, which puts the caller's stack there, and the errors of a transaction into that of its EXEC.
 */
export function another<E>(error: E): E;
export function another(error: unknown): unknown {
  if (error instanceof PoolError) return new PoolError(error.code, error.message, error);
  if (!(error instanceof Error)) return error;
  const copy = new Error(error.message, error.cause === undefined ? undefined : { cause: error.cause });
  return Object.assign(Object.setPrototypeOf(copy, Object.getPrototypeOf(error)), error);
}

/**
 * Whether `error` is a {@link PoolError}, and one of `code` if given. Unlike `instanceof`, it also knows the
 * errors of another copy of this library (ESM beside CJS, two versions).
 */
export function isPoolError(error: unknown, code?: PoolErrorCode): error is PoolError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || ('code' in error && error.code === code);
}

/** The error for a value that is not allowed. Values of options never hold secrets, except `redis`. */
export function invalidOption(message: string, cause?: unknown): PoolError {
  return new PoolError('POOL_INVALID_OPTION', message, { cause });
}
