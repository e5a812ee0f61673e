import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { isPoolError, Pool, type PoolError, type PoolOptions, type PoolStats } from '../../src/index.ts';
import type { Clock } from '../../src/util/clock.ts';
import { type RunningServer, startServer } from '../../tools/redis-server.js';
import { freezeProcess } from './child.ts';

/** One line of CLIENT LIST. */
export type Client = Readonly<Record<string, string>>;

type Args = readonly string[];

/** A server of the test file's own, and a client that watches it. */
export class TestServer {
  readonly #args: () => Args | Promise<Args>;
  #running: RunningServer | undefined;
  #observer: Redis | undefined;
  #port: number | undefined;

  constructor(args: () => Args | Promise<Args>) {
    this.#args = args;
  }

  /** Starts it; after `kill()` on the same port again. */
  async start(): Promise<void> {
    this.#running = await startServer({ args: await this.#args(), port: this.#port });
    this.#port = this.#running.port;
    this.#observer ??= new Redis(this.#port, '127.0.0.1', { connectionName: 'observer' }).on(
      'error',
      () => {},
    );
  }

  async stop(): Promise<void> {
    this.#observer?.disconnect();
    await this.#running?.stop();
  }

  /** Ends it as a crash does; resolves when it is gone. */
  kill(): Promise<void> {
    return this.#server.stop();
  }

  /** From now on the kernel alone accepts connections, and nobody answers. */
  freeze(): void {
    freezeProcess(this.#server.pid);
  }

  thaw(): void {
    process.kill(this.#server.pid, 'SIGCONT');
  }

  get port(): number {
    return this.#server.port;
  }

  get tlsPort(): number {
    return this.#server.tlsPort ?? expect.fail('the server does not speak TLS');
  }

  get url(): string {
    return this.#server.url;
  }

  /** A client that is none of the pool's. */
  get observer(): Redis {
    return this.#observer ?? expect.fail('the server does not run');
  }

  /** All connections but the observer's; with `name`, those of that name. */
  async clients(name?: string): Promise<Client[]> {
    const list = await clientList(this.observer);
    return list.filter((one) => (name === undefined ? one['name'] !== 'observer' : one['name'] === name));
  }

  /** What the server says of the connection with its own number `id`. */
  async client(id: number | string): Promise<Client> {
    const seen = (await this.clients()).find((one) => one['id'] === String(id));
    return seen ?? expect.fail(`the server has no connection ${id}`);
  }

  /** Closes the connection with its own number `id`, from the server's side. */
  async killClient(id: number | string): Promise<void> {
    expect(await this.observer.client('KILL', 'ID', id)).toBe(1);
  }

  /** A number from INFO. */
  async info(field: string): Promise<number> {
    const found = new RegExp(`^${field}:(\\d+)`, 'm').exec(await this.observer.info());
    return Number(found?.[1] ?? expect.fail(`INFO has no ${field}`));
  }

  /** A pool to this server, closed with the test. With a clock of the test's own no machine is too slow for it. */
  pool(options: PoolOptions = {}, clock?: Clock): Pool {
    return testPool({ redis: this.url, ...options }, clock);
  }

  /** Looks at the connections again and again; `stop` tells the most that were seen at once. */
  watch(name?: string): { stop(): Promise<number> } {
    let over = false;
    const peak = (async () => {
      let most = 0;
      while (!over) most = Math.max(most, (await this.clients(name)).length);
      return most;
    })();
    return {
      stop() {
        over = true;
        return peak;
      },
    };
  }

  get #server(): RunningServer {
    return this.#running ?? expect.fail('the server does not run');
  }
}

/** A server for all tests of a file. */
export function useServer(args: Args | (() => Args | Promise<Args>) = []): TestServer {
  const server = new TestServer(typeof args === 'function' ? args : () => args);
  beforeAll(() => server.start());
  afterAll(() => server.stop());
  return server;
}

/** Every connection, field by field: which fields there are, and their order, is each server's own. */
export async function clientList(observer: Redis): Promise<Client[]> {
  const lines = String(await observer.client('LIST'))
    .trim()
    .split('\n');
  return lines.map((line) => Object.fromEntries(line.split(' ').map(pair)));
}

/** What `createClient` does by default. The cast only picks an overload of ioredis 6. */
export function newClient(options: RedisOptions): Redis {
  return new Redis(options as RedisOptions & { replyMapping?: 'legacy' });
}

/** A pool that is closed with the test. */
export function testPool(options: PoolOptions, clock?: Clock): Pool {
  const pool = new Pool(options, clock ? { clock } : {});
  onTestFinished(() => pool.close({ graceMs: 0 }));
  return pool;
}

/** Waits for a condition, and returns what it has become. The limit only ends a test that has failed. */
export async function until<T>(
  what: string,
  look: () => T | false | Promise<T | false>,
  withinMs = 30_000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (performance.now() > end) expect.fail(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** What `work` rejects with: a PoolError with `code`. */
export async function poolErrorOf(work: Promise<unknown>, code: string): Promise<PoolError> {
  const error = await work.then(
    () => expect.fail(`it did not fail with ${code}`),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'PoolError', code });
  return isPoolError(error) ? error : expect.fail('not a PoolError');
}

/** The cause of a first dial with `options` that fails. The pool is closed with the test. */
export async function causeOf(options: PoolOptions, clock?: Clock): Promise<Error & { code?: string }> {
  const { cause } = await poolErrorOf(testPool(options, clock).acquire(), 'POOL_CONNECT_FAILED');
  return cause instanceof Error ? cause : expect.fail(`no Error as cause, but ${String(cause)}`);
}

/** Every connection is accounted for, every place too. */
export function expectBalanced(stats: PoolStats): void {
  const { total, inUse, idle, connecting, closing, maxActive, connected, closed } = stats;
  expect(total).toBe(inUse + idle + connecting + closing);
  expect(total).toBeLessThanOrEqual(maxActive);
  const gone = Object.values(closed).reduce((sum, n) => sum + n, 0);
  expect(connected).toBe(inUse + idle + gone);
}

/** Milliseconds that `work` takes, and what becomes of it. */
export async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const start = performance.now();
  const result = await work();
  return { ms: performance.now() - start, result };
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}
