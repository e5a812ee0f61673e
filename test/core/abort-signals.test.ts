import { EventEmitter, getEventListeners } from 'node:events';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { settled } from '../helpers/fake-clock.ts';
import { FakeRedis } from '../helpers/fake-redis.ts';
import { check, errorOf, follow, times } from '../helpers/outcomes.ts';

/** A pool whose only connection is lent. */
async function crowded() {
  const redis = new FakeRedis();
  const pool = redis.pool({ maxActive: 1, maxWaiting: 60_000 });
  return { redis, pool, held: await pool.acquire() };
}

/** As polyfills were written before `reason`: no EventTarget, and options of listeners are not known. */
class PlainSignal {
  aborted = false;
  readonly #emitter = new EventEmitter();
  addEventListener(name: string, listener: () => void): void {
    this.#emitter.on(name, listener);
  }
  removeEventListener(name: string, listener: () => void): void {
    this.#emitter.off(name, listener);
  }
  abort(): void {
    this.aborted = true;
    this.#emitter.emit('abort');
  }
  get listeners(): number {
    return this.#emitter.listenerCount('abort');
  }
}

const as = (signal: unknown): AbortSignal => signal as AbortSignal;

test.each([
  ['null', null, 'null'],
  ['a number', 7, '7'],
  ['a controller', new AbortController(), '(pass its `signal`)'],
  ['an EventTarget', new EventTarget(), 'without `aborted`'],
  ['one that cannot be asked', { addEventListener() {}, removeEventListener() {} }, 'without `aborted`'],
  ['one that cannot be left', { aborted: false, addEventListener() {} }, 'without `removeEventListener()`'],
])('%s is no signal, and is refused, by acquire() and messages() alike', async (_, signal, why) => {
  const { redis, pool, held } = await crowded();
  const refusal = { code: 'POOL_INVALID_OPTION', message: expect.stringContaining(`got ${why}`.slice(4)) };
  expect(await errorOf(pool.acquire({ signal: as(signal) }))).toMatchObject(refusal);
  expect(() => held.messages({ signal: as(signal) })).toThrow(expect.objectContaining(refusal));
  held.release();
  check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
});

test('a signal of another realm, and one that is no EventTarget and has no reason, are accepted', async () => {
  const { pool, held } = await crowded();
  const plain = new PlainSignal();
  const foreign = runInNewContext('new Controller()', {
    Controller: runInNewContext('(Base) => class extends Base {}')(AbortController),
  }) as AbortController;
  const reason = new Error('enough');
  const waiting = [
    follow(pool.acquire({ signal: as(plain) })),
    follow(pool.acquire({ signal: foreign.signal })),
  ];
  expect(plain.listeners).toBe(1);
  plain.abort();
  foreign.abort(reason);
  await settled();
  expect(waiting[0]?.error).toMatchObject({ name: 'AbortError' });
  expect(waiting[1]?.error).toBe(reason);
  expect(plain.listeners).toBe(0);
  expect(await errorOf(pool.acquire({ signal: as(plain) }))).toMatchObject({ name: 'AbortError' });
  held.release();
});

test('however many wait under a signal, in however many pools, it has one listener, and none when they are gone', async () => {
  const warning = vi.spyOn(process, 'emitWarning');
  const { signal } = new AbortController();
  const pools = await Promise.all(times(12, () => crowded()));
  const waiting = pools.flatMap(({ pool }) => times(2000, () => follow(pool.acquire({ signal }))));
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await settled();
  for (const { held, pool } of pools) {
    held.release();
    const closed = pool.close({ graceMs: 0 });
    await closed;
  }
  expect(waiting.every((one) => one.is !== 'pending')).toBe(true);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  expect(warning).not.toHaveBeenCalled();
  warning.mockRestore();
});

test('an abort rejects all callers with the signal, in order, and those that acquire again at once are rejected at once', async () => {
  const { pool, held } = await crowded();
  const caller = new AbortController();
  const { signal } = caller;
  const told: string[] = [];
  const ask = (name: string): Promise<unknown> =>
    pool.acquire({ signal }).catch(() => {
      told.push(name);
      return name.length === 1 ? ask(`${name} again`) : undefined;
    });
  const all = ['a', 'b', 'c'].map(ask);
  const other = follow(pool.acquire());
  caller.abort();
  await Promise.all(all);
  expect(told).toEqual(['a', 'b', 'c', 'a again', 'b again', 'c again']);
  expect(pool.stats()).toMatchObject({ waiting: 1, aborted: 6 });
  held.release();
  await settled();
  expect(other.is).toBe('done');
});

test('a signal that is aborted while it is asked, or begins to be listened to, is not waited for', async () => {
  const { pool, held } = await crowded();
  const caller = new AbortController();
  pool.on('exhausted', () => caller.abort());
  const plain = new PlainSignal();
  plain.addEventListener = () => {
    plain.aborted = true;
  };
  expect(await errorOf(pool.acquire({ signal: as(plain) }))).toMatchObject({ name: 'AbortError' });
  expect(pool.stats()).toMatchObject({ waiting: 0, aborted: 1 });
  held.release();
  expect(await pool.use(() => 'served')).toBe('served');
});

test.each(['removeEventListener', 'addEventListener', 'aborted', 'reason'])(
  'a signal that throws in `%s` costs nobody else anything, and no place',
  async (what) => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { redis, pool, held } = await crowded();
    const plain = new PlainSignal();
    let listening = false;
    const mine = new Error('mine');
    Object.defineProperty(plain, what, {
      get() {
        if (!listening) return what === 'aborted' ? false : what === 'reason' ? undefined : () => {};
        throw mine;
      },
    });
    listening = what === 'reason';
    const outcome = follow(pool.acquire({ signal: as(plain) }));
    listening = true;
    const behind = follow(pool.acquire());
    if (what === 'reason') plain.abort();
    expect(() => held.release()).not.toThrow();
    await settled();
    if (what === 'reason') expect(outcome.error).toBe(mine);
    else ((await outcome.promise) as { release(): void }).release();
    await settled();
    expect(behind.is).toBe('done');
    ((await behind.promise) as { release(): void }).release();
    check(redis, pool, { dialed: 1, open: 1, inUse: 0 });
    warning.mockRestore();
  },
);

test('options of acquire() are read once', async () => {
  const { pool, held } = await crowded();
  const reads: string[] = [];
  const options = {
    get timeoutMs() {
      reads.push('timeoutMs');
      return reads.filter((one) => one === 'timeoutMs').length > 1 ? ('never' as never) : 50;
    },
    get signal() {
      reads.push('signal');
      return undefined;
    },
  };
  const outcome = follow(pool.acquire(options));
  expect(reads.sort()).toEqual(['signal', 'timeoutMs']);
  held.release();
  await settled();
  expect(outcome.is).toBe('done');
});
