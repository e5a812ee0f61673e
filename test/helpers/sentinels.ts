import { setTimeout as sleep } from 'node:timers/promises';
import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { isPoolError, type Pool } from '../../src/index.ts';
import { type RunningServer, startServer } from '../../tools/redis-server.js';
import { freezeProcess } from './child.ts';
import { TestServer, until } from './redis.ts';

export const GROUP = 'mymaster';
export const SENTINEL_PASSWORD = 'secret-of-sentinels';

/** For how long a server is silent until a sentinel takes it for down. Milliseconds. */
export const DOWN_AFTER_MS = 1000;

type Fields = Readonly<Record<string, string>>;

/** One of the three; it can be frozen, and killed for good. */
export class TestSentinel {
  readonly #running: RunningServer;
  readonly asker: Redis;
  /** What it has published, and when. */
  readonly heard: { channel: string; text: string; at: number }[] = [];
  readonly #listener: Redis;

  constructor(running: RunningServer) {
    this.#running = running;
    const options = { password: SENTINEL_PASSWORD, connectionName: 'observer' };
    this.asker = new Redis(running.port, '127.0.0.1', options).on('error', () => {});
    this.#listener = new Redis(running.port, '127.0.0.1', options).on('error', () => {});
    this.#listener.on('pmessage', (_, channel, text) =>
      this.heard.push({ channel, text, at: performance.now() }),
    );
    void this.#listener.psubscribe('*');
  }

  get port(): number {
    return this.#running.port;
  }

  freeze(): void {
    freezeProcess(this.#running.pid);
  }

  thaw(): void {
    process.kill(this.#running.pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    this.asker.disconnect();
    this.#listener.disconnect();
    await this.#running.stop();
  }

  /** What SENTINEL says of the master. */
  async master(): Promise<Fields> {
    return fieldsOf(await this.asker.call('sentinel', 'master', GROUP));
  }

  async replicas(): Promise<Fields[]> {
    return ((await this.asker.call('sentinel', 'replicas', GROUP)) as unknown[]).map(fieldsOf);
  }

  /** The sockets that others than the test and the other sentinels have to it. */
  async clients(name: string): Promise<number> {
    const list = String(await this.asker.client('LIST'));
    return list.split('\n').filter((line) => line.includes(` name=${name} `)).length;
  }
}

/** Three sentinels, a master and two replicas on loopback. */
export class Trio {
  readonly nodes: TestServer[] = [];
  readonly sentinels: TestSentinel[] = [];
  #master = 0;

  async start(): Promise<void> {
    // One that starts again is a replica of whoever is the master by then.
    const args = async (): Promise<string[]> => {
      const [sentinel] = this.sentinels;
      const master = sentinel ? (await sentinel.master())['port'] : this.#master;
      return [
        ...['--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0'],
        ...(master ? ['--replicaof', '127.0.0.1', String(master)] : []),
      ];
    };
    for (let i = 0; i < 3; i++) {
      const node = new TestServer(args);
      await node.start();
      this.nodes.push(node);
      this.#master ||= node.port;
    }
    const sentinel = [
      `sentinel monitor ${GROUP} 127.0.0.1 ${this.#master} 2`,
      `sentinel down-after-milliseconds ${GROUP} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${GROUP} 4000`,
      `sentinel parallel-syncs ${GROUP} 2`,
      `sentinel sentinel-pass ${SENTINEL_PASSWORD}`,
      `requirepass ${SENTINEL_PASSWORD}`,
    ];
    const all = await Promise.all([1, 2, 3].map(() => startServer({ sentinel })));
    this.sentinels.push(...all.map((running) => new TestSentinel(running)));
    // They look more often, so that tests are short; those before Redis 7 do not know it, and take their time.
    const periods = ['info-period', '300', 'publish-period', '300', 'tilt-period', '500'];
    for (const { asker } of this.sentinels) await asker.call('sentinel', 'debug', ...periods).catch(() => {});
    await this.settle();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.nodes].map((one) => one.stop()));
  }

  /** Options that lead there. */
  redis(more: RedisOptions = {}): RedisOptions {
    const sentinels = this.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
    return { sentinels, name: GROUP, sentinelPassword: SENTINEL_PASSWORD, ...more };
  }

  /** The server on `port`. */
  node(port: number): TestServer {
    return this.nodes.find((one) => one.port === port) ?? expect.fail(`no node on ${port}`);
  }

  /** The one that was the master when all was at rest last. */
  get master(): TestServer {
    return this.node(this.#master);
  }

  get replicas(): TestServer[] {
    return this.nodes.filter((one) => one.port !== this.#master);
  }

  /** When the first sentinel told of a switch since `moment`, and to where. */
  switched(moment: number): { at: number; port: number } | undefined {
    const all = this.sentinels.flatMap(({ heard }) => heard);
    const first = all
      .filter(({ channel, at }) => channel === '+switch-master' && at > moment)
      .sort((a, b) => a.at - b.at)[0];
    return first && { at: first.at, port: Number(first.text.split(' ')[4]) };
  }

  untilSwitched(since: number): Promise<{ at: number; port: number }> {
    return until('a sentinel tells of a switch', () => this.switched(since) ?? false).catch((error) => {
      const told = this.sentinels.map(({ heard }) =>
        heard.filter(({ at }) => at > since).map(({ channel, text }) => `${channel} ${text}`),
      );
      throw new Error(`the sentinels told ${JSON.stringify(told, null, 2)}`, { cause: error });
    });
  }

  /** Waits until all are there again, and all sentinels agree: on a busy machine they may change their minds meanwhile. */
  async settle(): Promise<void> {
    for (const one of [...this.sentinels, ...this.nodes]) one.thaw();
    let unrest: string | undefined;
    const atRest = async (): Promise<boolean> => {
      unrest = await this.#unrest();
      return unrest === undefined;
    };
    await until('all are at rest', atRest, 90_000).catch((error) => {
      throw new Error(unrest, { cause: error });
    });
  }

  /** What is not as it was at the start, if anything; a server that nobody tells whom to follow is told. */
  async #unrest(): Promise<string | undefined> {
    const views = await Promise.all(
      this.sentinels.map(async (one) => ({ master: await one.master(), replicas: await one.replicas() })),
    );
    this.#master = Number(views[0]?.master['port']);
    const agreed = views.every(
      ({ master }) =>
        Number(master['port']) === this.#master &&
        master['flags'] === 'master' &&
        master['num-other-sentinels'] === '2',
    );
    if (!agreed) return 'the sentinels do not agree on a master';
    for (const { observer, port } of this.replicas) {
      const info = await observer.info('replication');
      if (!info.includes(`master_port:${this.#master}\r`)) {
        await observer.replicaof('127.0.0.1', this.#master);
        return `${port} followed another`;
      }
      if (!info.includes('master_link_status:up')) return `${port} is not in step`;
    }
    // One that was frozen mistrusts its clock for a while.
    const infos = await Promise.all(this.sentinels.map((one) => one.asker.info('sentinel')));
    if (!infos.every((info) => info.includes('sentinel_tilt:0'))) return 'a sentinel mistrusts its clock';
    const known = views.every(
      ({ replicas }) =>
        replicas.length === 2 &&
        replicas.every(
          (one) =>
            one['flags'] === 'slave' &&
            one['role-reported'] === 'slave' &&
            one['master-port'] === String(this.#master) &&
            one['master-link-status'] === 'ok',
        ),
    );
    return known ? undefined : 'a sentinel does not know the replicas';
  }
}

/** Three sentinels for all tests of a file. */
export function useTrio(): Trio {
  // Failovers take the time that they take, the more so on a machine that has much else to do.
  vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });
  const trio = new Trio();
  beforeAll(() => trio.start());
  afterAll(() => trio.stop());
  return trio;
}

function fieldsOf(reply: unknown): Fields {
  const flat = (reply as unknown[]).map(String);
  return Object.fromEntries(flat.flatMap((name, i) => (i % 2 ? [] : [[name, flat[i + 1] ?? '']])));
}

export type Door = 'redis' | 'use';

/** Callers at both doors of a pool, who go on whatever comes. */
export class Load {
  readonly answered: { door: Door; at: number }[] = [];
  readonly errors: { door: Door; at: number; code: string; error: unknown }[] = [];
  /** INCRs that were acknowledged, by key. */
  readonly acknowledged = { redis: 0, use: 0 };
  #over = false;
  readonly #callers: Promise<void>[];

  constructor(pool: Pool, work: (pool: Pool, door: Door) => Promise<unknown>, callers = 10, pauseMs = 5) {
    const call = async (door: Door): Promise<void> => {
      while (!this.#over) {
        try {
          await work(pool, door);
          this.acknowledged[door]++;
          this.answered.push({ door, at: performance.now() });
        } catch (error) {
          const code = isPoolError(error) ? error.code : String(error);
          this.errors.push({ door, at: performance.now(), code, error });
        }
        await sleep(pauseMs);
      }
    };
    this.#callers = Array.from({ length: callers }, (_, i) => call(i % 2 ? 'use' : 'redis'));
  }

  /** The first answer at `door` after `moment`. */
  firstAfter(moment: number, door: Door): number | undefined {
    return this.answered.find((one) => one.door === door && one.at > moment)?.at;
  }

  /** Waits until both doors have answers that came after `moment`; when the later one came. */
  async back(moment: number): Promise<number> {
    const [redis, use] = await Promise.all(
      (['redis', 'use'] as const).map((door) =>
        until(`${door} has answers again`, () => this.firstAfter(moment, door) ?? false),
      ),
    );
    return Math.max(redis as number, use as number);
  }

  /** The errors, counted. */
  get counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { code } of this.errors) counts[code] = (counts[code] ?? 0) + 1;
    return counts;
  }

  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#callers);
  }
}

/** INCR of a key of each door. */
export const incr = (pool: Pool, door: Door): Promise<number> =>
  door === 'redis' ? pool.redis.incr('redis') : pool.use((lease) => lease.incr('use'));
