import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULTS, Pool, type PoolOptions } from '../../src/index.ts';
import { type Clock, deadline, systemClock } from '../../src/util/clock.ts';
import { Middle } from '../helpers/middle.ts';
import { TestServer, until } from '../helpers/redis.ts';
import { type Call, Callers, type Kind, Lateness, longestMs, tookMs } from './callers.ts';

/** Where `npm run guarantees` wants the rows: it has more callers, longer faults, and one after the other. */
const REPORT = process.env['GUARANTEES'];
export const isMeasured = Boolean(REPORT);
const PER_SECOND = isMeasured ? 500 : 150;
const LASTS_MS = isMeasured ? 4000 : 2200;

export type Door = 'use' | 'redis';

/** What a fault has to do with. */
export interface World {
  readonly server: TestServer;
  /** What lies between the pools and the server, where a fault is on the way. */
  readonly middle: Middle;
  readonly pools: readonly Pool[];
  /** Does `again` every `ms` milliseconds, until the fault is over. */
  every(ms: number, again: () => unknown): void;
}

/** Codes, by door and kind of call. */
export type Errors = Partial<Record<`${Door} ${Kind}`, readonly string[]>>;

export interface Fault {
  readonly name: string;
  /** On the way to the server, and not at the server. */
  readonly onTheWay?: true;
  /** What the pools are given besides the defaults. */
  readonly options?: PoolOptions;
  readonly args?: () => readonly string[];
  readonly lastsMs?: number;
  /** Before there are pools. */
  readonly prepare?: (server: TestServer) => unknown;
  readonly begin: (world: World) => unknown;
  readonly end?: (world: World) => unknown;
  /** Errors that callers may get; by default none. */
  readonly errors?: Errors;
  /** Whether the fault was there, by what is seen of it at one door at least. */
  readonly felt: (row: Row) => boolean;
  /** What it comes from is told at once: nobody waits for Redis' return, and the next dial may be up to 2 s away. */
  readonly toldAtOnce?: true;
}

/** What became of a door in a fault. Times in milliseconds. */
export interface Row {
  readonly fault: string;
  readonly toldAtOnce: true | undefined;
  readonly door: Door;
  readonly options: PoolOptions;
  readonly calls: number;
  /** By kind of call and code. */
  readonly errors: Readonly<Record<string, number>>;
  /** What a call took at most. */
  readonly longestMs: number;
  /** By how much the worst call went beyond its deadline, less what the event loop was late meanwhile; below 0: within. */
  readonly beyondMs: number;
  /** Dials in the first second of the fault, and in the worst second after that while it lasted. */
  readonly dialsFirst: number;
  readonly dialsAfter: number;
  /** Most connections at the server at once. */
  readonly peak: number;
  /** From the end of the fault until both a read and a write have succeeded. */
  readonly recoveryMs: number;
  /**
   * From the end of the fault to the next dial, less what the event loop was late meanwhile; where no connection was
   * open at the end, and no dial under way.
   */
  readonly nextDialMs: number | undefined;
  readonly connectFailed: number;
  readonly broken: number;
  /** After `close()`: places, timers, and connections at the server. */
  readonly left: number;
}

/** Brings a fault upon both doors at once, and tells what became of them. */
export async function suffer(fault: Fault): Promise<Row[]> {
  const server = new TestServer(fault.args ?? (() => []));
  await server.start();
  const middle = await Middle.open(server.port);
  try {
    await fault.prepare?.(server);
    const rows = await rowsOf(fault, server, middle);
    if (REPORT) for (const row of rows) appendFileSync(REPORT, `${JSON.stringify(row)}\n`);
    return rows;
  } finally {
    middle.close();
    await server.stop();
  }
}

async function rowsOf(fault: Fault, server: TestServer, middle: Middle): Promise<Row[]> {
  const lateness = new Lateness();
  const port = fault.onTheWay ? middle.port : server.port;
  const sides = (['use', 'redis'] as const).map((door) => new Side(door, fault, port, lateness));
  const timers: NodeJS.Timeout[] = [];
  const every: World['every'] = (ms, again) =>
    void timers.push(setInterval(async () => void (await Promise.resolve(again()).catch(() => {})), ms));
  const endTimers = (): void => timers.splice(0).forEach(clearInterval);
  const world: World = { server, middle, pools: sides.map(({ pool }) => pool), every };
  try {
    await until('both doors serve', () => sides.every((side) => side.serves(0)));
    const peaks = watch(server, sides);
    const begunAt = performance.now();
    await fault.begin(world);
    await sleep(Math.max(0, (fault.lastsMs ?? LASTS_MS) - (performance.now() - begunAt)));
    endTimers();
    await fault.end?.(world);
    for (const side of sides) side.over();
    const span = { begunAt, endedAt: performance.now(), lateMs: lateness.ms };
    await until('both doors serve as before', () => sides.every((side) => side.serves(span.endedAt)));
    await Promise.all(sides.map((side) => side.stop()));
    await peaks.stop();
    await Promise.all(sides.map((side) => side.close(server)));
    return sides.map((side) => side.row(span));
  } finally {
    endTimers();
    lateness.stop();
    await Promise.all(sides.map(({ pool }) => pool.close({ graceMs: 0 })));
  }
}

interface Dial {
  readonly at: number;
  /** By how much the event loop had been late then. */
  readonly lateMs: number;
}

/** A pool, and those who come through one of its doors. */
class Side {
  readonly door: Door;
  readonly pool: Pool;
  peak = 0;
  readonly #clock = new CountingClock();
  readonly #fault: Fault;
  readonly #callers: Callers;
  readonly #dials: Dial[] = [];
  #hadNone = false;
  #left = 0;

  constructor(door: Door, fault: Fault, port: number, lateness: Lateness) {
    this.door = door;
    this.#fault = fault;
    const { options = {} } = fault;
    const redis = { host: '127.0.0.1', port, ...(options.redis as object) };
    const pool = new Pool({ ...options, redis, name: door }, { clock: this.#clock });
    this.pool = pool;
    pool.on('connecting', ({ stats }) => {
      this.#dials.push({ at: performance.now(), lateMs: lateness.ms });
      this.peak = Math.max(this.peak, stats.total);
    });
    const call = {
      use: (kind: Kind) => pool.use<unknown>((redis) => (kind === 'read' ? redis.get('k') : redis.incr('n'))),
      redis: (kind: Kind) => (kind === 'read' ? pool.redis.get('k') : pool.redis.incr('n')),
    };
    this.#callers = new Callers(PER_SECOND, lateness, call[door]);
  }

  /** Whether the last of those who came since then all succeeded. */
  serves(since: number): boolean {
    return this.#callers.inARow(since) >= 30;
  }

  /** The fault is over. */
  over(): void {
    const { inUse, idle, connecting } = this.pool.stats();
    this.#hadNone = inUse + idle + connecting === 0;
  }

  async stop(): Promise<void> {
    await this.#callers.stop();
  }

  async close(server: TestServer): Promise<void> {
    await this.pool.close();
    const { total, waiting, queuedCommands } = this.pool.stats();
    const there = (await server.clients(this.door)).length;
    this.#left = total + waiting + queuedCommands + this.#clock.timers + there;
  }

  row({ begunAt, endedAt, lateMs }: Span): Row {
    const { calls } = this.#callers;
    const dials = this.#dials;
    const during = dials.map(({ at }) => at - begunAt).filter((ms) => ms >= 0 && begunAt + ms <= endedAt);
    const next = dials.find(({ at }) => at > endedAt);
    const { connectFailed, closed } = this.pool.stats();
    const { acquireTimeoutMs = DEFAULTS.acquireTimeoutMs, replyTimeoutMs = DEFAULTS.replyTimeoutMs } =
      this.#fault.options ?? {};
    return {
      ...{ fault: this.#fault.name, toldAtOnce: this.#fault.toldAtOnce },
      ...{ door: this.door, options: this.#fault.options ?? {} },
      calls: calls.length,
      errors: counts(calls),
      longestMs: longestMs(calls),
      beyondMs: Math.max(...calls.map((one) => tookMs(one) - one.lateMs)) - acquireTimeoutMs - replyTimeoutMs,
      dialsFirst: during.filter((ms) => ms < 1000).length,
      dialsAfter: mostInASecond(during.filter((ms) => ms >= 1000)),
      peak: this.peak,
      recoveryMs: Math.max(...(['read', 'write'] as const).map((kind) => successAfter(endedAt, kind, calls))),
      nextDialMs: this.#hadNone && next ? next.at - endedAt - (next.lateMs - lateMs) : undefined,
      ...{ connectFailed, broken: closed.broken, left: this.#left },
    };
  }
}

/** For how long the fault lasted, and by how much the event loop had been late at its end. */
interface Span {
  readonly begunAt: number;
  readonly endedAt: number;
  readonly lateMs: number;
}

/** Counts timers that are set. */
class CountingClock implements Clock {
  timers = 0;
  readonly now = systemClock.now;
  readonly soon = systemClock.soon;

  after(ms: number, run: () => void, background?: 'background'): () => void {
    return this.#counted((over) => systemClock.after(ms, () => [over(), run()], background), ms);
  }

  deadline: NonNullable<Clock['deadline']> = (ms, run, background) => {
    return this.#counted(
      (over) => deadline(systemClock, ms, (lostMs) => [over(), run(lostMs)], background),
      ms,
    );
  };

  #counted(set: (over: () => void) => () => void, ms: number): () => void {
    let isSet = ms !== Number.POSITIVE_INFINITY;
    const over = (): void => {
      if (isSet) this.timers--;
      isSet = false;
    };
    if (isSet) this.timers++;
    const cancel = set(over);
    return () => {
      over();
      cancel();
    };
  }
}

/** Looks again and again how many connections each has at the server. */
function watch(server: TestServer, sides: readonly Side[]): { stop(): Promise<void> } {
  let over = false;
  const watching = (async () => {
    while (!over) {
      const clients = await server.clients().catch(() => []); // there may be no server
      for (const side of sides) {
        side.peak = Math.max(side.peak, clients.filter(({ name }) => name === side.door).length);
      }
      await sleep(5);
    }
  })();
  return {
    stop() {
      over = true;
      return watching;
    },
  };
}

function counts(calls: readonly Call[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { kind, error, endedAt } of calls) {
    const what = endedAt === undefined ? 'never ended' : error;
    if (what) all[`${kind} ${what}`] = (all[`${kind} ${what}`] ?? 0) + 1;
  }
  return all;
}

/** Of moments in order, the most that lie within a second. */
function mostInASecond(moments: readonly number[]): number {
  return Math.max(
    0,
    ...moments.map((first) => moments.filter((ms) => ms >= first && ms < first + 1000).length),
  );
}

function successAfter(moment: number, kind: Kind, calls: readonly Call[]): number {
  const ends = calls.flatMap((one) => (one.kind === kind && !one.error && one.endedAt ? [one.endedAt] : []));
  return Math.min(...ends.filter((endedAt) => endedAt > moment)) - moment;
}
