import type { Redis } from 'ioredis';
import { expectTypeOf, test } from 'vitest';
import {
  type AcquireOptions,
  type CloseReason,
  DEFAULTS,
  isPoolError,
  type Lease,
  type LeaseMessage,
  Pool,
  type PoolError,
  type PoolErrorCode,
  type PoolEvents,
  type PoolOptions,
  type PoolStats,
  type RedisPool,
} from '../../src/index.ts';

// Never called: the compiler is what tests here (npm run typecheck).
const pool = (): Pool => new Pool();

test('a pool is made of nothing, of a URL, of a URL and options, or of options', () => {
  expectTypeOf(Pool).constructorParameters.toExtend<unknown[]>();
  const make = () => [
    new Pool(),
    new Pool('redis://h'),
    new Pool('redis://h', {}),
    new Pool({ maxActive: 1 }),
  ];
  const fromEnvironment = () => new Pool(process.env['REDIS_URL'], { maxActive: 1 });
  expectTypeOf(make).returns.items.toEqualTypeOf<Pool>();
  expectTypeOf(fromEnvironment).returns.toExtend<RedisPool>();
  // @ts-expect-error an unknown option
  const wrong = () => new Pool({ maxactive: 1 });
  expectTypeOf(wrong).toBeFunction();
});

test('an option may be undefined, which means its default', () => {
  expectTypeOf<{ maxActive: undefined }>().toExtend<PoolOptions>();
  expectTypeOf(DEFAULTS.maxActive).toEqualTypeOf<number>();
});

test('a lease is a Redis to all who want one, and more', () => {
  expectTypeOf<Lease>().toExtend<Redis>();
  expectTypeOf<Lease['release']>().toEqualTypeOf<() => void>();
  expectTypeOf<Lease['connectionId']>().toEqualTypeOf<number>();
  expectTypeOf<Lease['raw']>().toEqualTypeOf<Redis>();
  expectTypeOf<Lease>().toExtend<Disposable & AsyncDisposable>();
  expectTypeOf<ReturnType<Lease['messages']>>().toEqualTypeOf<AsyncIterableIterator<LeaseMessage>>();
  const commands = async (redis: Lease) => ({
    text: await redis.get('k'),
    bytes: await redis.getBuffer('k'),
    all: await redis.hgetall('h'),
    many: await redis.multi().get('k').exec(),
  });
  expectTypeOf<Awaited<ReturnType<typeof commands>>>().toEqualTypeOf<{
    text: string | null;
    bytes: Buffer | null;
    all: Record<string, string>;
    many: [error: Error | null, result: unknown][] | null;
  }>();
});

test('use() gives what its work gives, promised or not', () => {
  expectTypeOf(() => pool().use(() => 1)).returns.resolves.toEqualTypeOf<number>();
  expectTypeOf(() => pool().use(async () => 'x')).returns.resolves.toEqualTypeOf<string>();
  expectTypeOf(() => pool().use((redis) => redis.get('k'))).returns.resolves.toEqualTypeOf<string | null>();
  expectTypeOf<{ signal: AbortSignal; timeoutMs: number }>().toExtend<AcquireOptions>();
});

test('listeners have typed events, and return values of a pool are read-only', () => {
  const listen = () =>
    pool()
      .on('close', ({ reason, ageMs }) => {
        expectTypeOf(reason).toEqualTypeOf<CloseReason>();
        expectTypeOf(ageMs).toEqualTypeOf<number>();
      })
      // @ts-expect-error there is no such event
      .once('closed', () => {});
  expectTypeOf(listen).toBeFunction();
  expectTypeOf<PoolEvents['acquire']['stats']>().toEqualTypeOf<PoolStats>();
  expectTypeOf<PoolStats['closed']>().toEqualTypeOf<Readonly<Record<CloseReason, number>>>();
});

test('isPoolError narrows', () => {
  const look = (error: unknown) => (isPoolError(error, 'POOL_CLOSED') ? error : undefined);
  expectTypeOf(look).returns.toExtend<PoolError | undefined>();
  const codeOf = (error: unknown) => (isPoolError(error, 'POOL_CLOSED') ? error.code : undefined);
  expectTypeOf(codeOf).returns.toEqualTypeOf<'POOL_CLOSED' | undefined>();
  const any = (error: unknown) => (isPoolError(error) ? error : undefined);
  expectTypeOf(any).returns.toEqualTypeOf<PoolError | undefined>();
  const others = (error: PoolError) => (isPoolError(error, 'POOL_CLOSED') ? undefined : error);
  expectTypeOf(others).returns.toEqualTypeOf<PoolError | undefined>();
  expectTypeOf<PoolError['code']>().toEqualTypeOf<PoolErrorCode>();
  // @ts-expect-error no such code
  const wrong = () => isPoolError(0, 'POOL_WRONG');
  expectTypeOf(wrong).toBeFunction();
});
