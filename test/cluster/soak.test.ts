import { expect, onTestFinished, test } from 'vitest';
import type { ClusterPool } from '../../src/cluster/index.ts';
import { slotOf } from '../../src/cluster/slot.ts';
import { isPoolError } from '../../src/index.ts';
import { type ClusterNode, useCluster } from '../helpers/cluster.ts';
import { until } from '../helpers/redis.ts';

const cluster = useCluster();

/** `COMMANDS=1000000 npm run soak:cluster`. */
const { COMMANDS } = process.env;
const GOAL = Number(COMMANDS ?? 20_000);
const CALLERS = 60;
const TAGS = 30;
/** So many slots are on their way at the same time. */
const MOVED = 20;
const BOUND = 3;

/** What was done, and what must not have been. */
const tally = { sent: 0, lost: 0, overtaken: 0, kills: 0, slots: 0, wrong: new Map<string, number>() };

function wrong(what: string): void {
  tally.wrong.set(what, (tally.wrong.get(what) ?? 0) + 1);
}

/** What a key may hold: what was acknowledged last, or what was lost since and may have run. */
class Cell {
  #acknowledged: string | null = null;
  readonly #maybe = new Set<string>();

  async write<T>(value: string, work: Promise<T>): Promise<T> {
    this.#maybe.add(value);
    const reply = await work;
    this.#maybe.clear();
    this.#acknowledged = value;
    return reply;
  }

  check(found: unknown): void {
    if (found !== this.#acknowledged && !this.#maybe.has(found as string)) {
      wrong(`a value is neither the last nor a lost one: ${found} for ${this.#acknowledged}`);
    }
  }
}

/** Sends its own values to its own keys, at all nodes, and looks at every reply. */
class Caller {
  readonly #pool: ClusterPool;
  readonly #id: number;
  readonly #cells = Array.from({ length: TAGS }, () => new Cell());
  #turn = 0;
  #count = { acknowledged: 0, lost: 0, last: 0 };
  readonly #pushed = { acknowledged: [] as string[], lost: new Set<string>() };

  constructor(pool: ClusterPool, id: number) {
    this.#pool = pool;
    this.#id = id;
  }

  async run(over: () => boolean): Promise<void> {
    const operations = [this.#write, this.#read, this.#words, this.#increment, this.#pipeline];
    operations.push(
      this.#transaction,
      this.#push,
      this.#lease,
      this.#writeMany,
      this.#readMany,
      this.#script,
    );
    while (!over()) {
      for (const operation of operations) {
        this.#turn++;
        await operation.call(this).catch((error) => {
          if (isPoolError(error, 'POOL_CONNECTION_LOST')) tally.lost++;
          else wrong(String(error));
        });
      }
    }
  }

  /** At the end: all that was acknowledged is there, once. */
  async look(): Promise<void> {
    await this.#readMany();
    const { acknowledged, lost } = this.#pushed;
    const found = await this.#pool.redis.lrange(this.#key(1, 'list'), 0, -1);
    const there = new Set(found);
    if (there.size < found.length) wrong('an RPUSH ran twice');
    if (!acknowledged.every((one) => there.has(one))) wrong('an RPUSH is not there');
    if (!found.every((one) => lost.has(one) || acknowledged.includes(one))) wrong('a strange RPUSH');
    const count = Number(await this.#pool.redis.get(this.#key(2, 'count')));
    if (count < this.#count.acknowledged) wrong('an INCR is not there');
    if (count > this.#count.acknowledged + this.#count.lost) wrong('an INCR ran twice');
  }

  static tags(): string[] {
    return Array.from({ length: CALLERS * TAGS }, (_, i) => tagOf(Math.floor(i / TAGS), i % TAGS));
  }

  get #value(): string {
    return `${this.#id}.${this.#turn}`;
  }

  #key(at: number, what = 'value'): string {
    return `{${tagOf(this.#id, at)}}${what}`;
  }

  /** One of its keys; each turn another. */
  #cell(): [cell: Cell, key: string] {
    const at = this.#turn % TAGS;
    return [this.#cells[at] as Cell, this.#key(at)];
  }

  async #write(): Promise<void> {
    tally.sent++;
    const [cell, key] = this.#cell();
    const reply = await cell.write(this.#value, this.#pool.redis.set(key, this.#value));
    if (reply !== 'OK') wrong('a SET got the reply of another');
  }

  async #read(): Promise<void> {
    tally.sent++;
    const [cell, key] = this.#cell();
    cell.check(await this.#never(this.#pool.redis.get(key)));
  }

  /** To any node. */
  async #words(): Promise<void> {
    const words = Array.from({ length: 20 }, (_, i) => `${this.#value}.${i}`);
    tally.sent += words.length;
    const all = await Promise.allSettled(words.map((word) => this.#pool.redis.echo(word)));
    for (const [i, one] of all.entries()) {
      if (one.status === 'rejected' && !isPoolError(one.reason, 'POOL_CONNECTION_LOST'))
        wrong(String(one.reason));
      if (one.status === 'fulfilled' && one.value !== words[i]) wrong('an ECHO got the reply of another');
    }
  }

  async #increment(): Promise<void> {
    tally.sent++;
    const count = this.#count;
    count.lost++;
    const reply = await this.#pool.redis.incr(this.#key(2, 'count'));
    count.lost--;
    count.acknowledged++;
    if (reply <= count.last || reply > count.acknowledged + count.lost) wrong('an INCR ran twice, or not');
    count.last = reply;
  }

  async #pipeline(): Promise<void> {
    tally.sent += 2 * TAGS;
    const pipeline = this.#pool.redis.pipeline();
    for (let at = 0; at < TAGS; at++) pipeline.set(this.#key(at), `${this.#value}.${at}`).get(this.#key(at));
    const replies = (await pipeline.exec()) ?? [];
    for (const [at, cell] of this.#cells.entries()) {
      const [error, found] = replies[2 * at + 1] ?? [];
      if (error) wrong(`a read of a pipeline: ${error}`);
      const [failed] = replies[2 * at] ?? [];
      const value = `${this.#value}.${at}`;
      if (!failed && found !== value) {
        tally.overtaken++; // the SET was refused, as one that is redirected, and done after the GET
        cell.check(found);
      }
      await cell.write(value, failed ? Promise.reject(failed) : Promise.resolve()).catch(lostAlone);
      if (failed) cell.check(found);
    }
  }

  async #transaction(): Promise<void> {
    tally.sent += 4;
    const [cell, key] = this.#cell();
    const replies = await cell.write(
      this.#value,
      this.#pool.redis.multi().set(key, this.#value).get(key).exec(),
    );
    if (replies?.[1]?.[1] !== this.#value) wrong('a transaction got the reply of another');
  }

  async #push(): Promise<void> {
    tally.sent++;
    const value = this.#value;
    this.#pushed.lost.add(value);
    await this.#pool.redis.rpush(this.#key(1, 'list'), value);
    this.#pushed.lost.delete(value);
    this.#pushed.acknowledged.push(value);
  }

  async #lease(): Promise<void> {
    tally.sent += 5;
    const [cell, key] = this.#cell();
    const value = this.#value;
    const work = this.#pool.use((lease) => lease.multi().set(key, value).get(key).exec(), { key });
    const replies = await cell.write(value, work);
    if (replies?.[1]?.[1] !== value) wrong('a lease got the reply of another');
    cell.check(await this.#never(this.#pool.use((lease) => lease.get(key), { key })));
  }

  async #writeMany(): Promise<void> {
    tally.sent++;
    const values = this.#cells.map((_, at) => `${this.#value}.${at}`);
    const work = this.#pool.redis.mset(Object.fromEntries(values.map((value, at) => [this.#key(at), value])));
    const all = this.#cells.map((cell, at) => cell.write(values[at] as string, work));
    await Promise.all(all).finally(() => Promise.allSettled(all));
  }

  async #readMany(): Promise<void> {
    tally.sent++;
    const found = await this.#never(this.#pool.redis.mget(this.#cells.map((_, at) => this.#key(at))));
    for (const [at, cell] of this.#cells.entries()) cell.check(found[at]);
  }

  async #script(): Promise<void> {
    tally.sent++;
    const [, key] = this.#cell();
    const reply = await this.#pool.redis.eval("return KEYS[1] .. ':' .. ARGV[1]", 1, key, this.#value);
    if (reply !== `${key}:${this.#value}`) wrong('a script got the reply of another');
  }

  /** What only reads hears no error. */
  #never<T>(reads: Promise<T>): Promise<T> {
    return reads.catch((error) => {
      wrong(`a read: ${error}`);
      throw error;
    });
  }
}

const tagOf = (caller: number, at: number): string => `${caller}:${at}`;

function lostAlone(error: unknown): void {
  if (isPoolError(error, 'POOL_CONNECTION_LOST')) tally.lost++;
  else wrong(String(error));
}

/** Slots of the callers' keys are on their way from one master to another while the third is killed. */
async function trouble(turn: number): Promise<void> {
  const masters = await cluster.masters();
  const [from, to, third] = [0, 1, 2].map((i) => masters[(i + turn) % 3]) as [
    ClusterNode,
    ClusterNode,
    ClusterNode,
  ];
  const own = new Set(await cluster.slotsOf(from));
  const slots = [...new Set(Caller.tags().map(slotOf))].filter((slot) => own.has(slot)).slice(0, MOVED);
  for (const [i, slot] of slots.entries()) {
    await cluster.beginMove(slot, from, to);
    if (i % 2 === 0) await cluster.moveKeys(slot, from, to);
  }
  const replica = await cluster.replicaOf(third);
  // A crash loses what the replica has not got yet, whatever a client does: here it has all that was acknowledged.
  await third.observer.client('PAUSE', 60_000, 'WRITE');
  const offset = (node: ClusterNode): Promise<string> => node.info('master_repl_offset');
  await until('the replica has it all', async () => (await offset(replica)) === (await offset(third)));
  await third.kill();
  tally.kills++;
  await until('the replica has taken over', async () => (await replica.info('role')) === 'master');
  await until(
    'the cluster is well',
    async () => (await from.info('cluster_state')) === 'ok' && (await to.info('cluster_state')) === 'ok',
  );
  for (const slot of slots) {
    await cluster.moveKeys(slot, from, to);
    await cluster.endMove(slot, from, to);
    tally.slots++;
  }
  await cluster.heal();
}

test(
  `${GOAL} commands through reshards with kills: what is acknowledged is there once, and every reply is one's own`,
  async () => {
    const pool = cluster.pool({
      maxActive: BOUND,
      name: 'soak',
      acquireTimeoutMs: 60_000,
      outageWaitMs: 60_000,
    });
    const stopWatching = cluster.watchBound();
    const began = performance.now();
    let over = false;
    onTestFinished(() => {
      over = true;
    });
    const callers = Array.from({ length: CALLERS }, (_, id) => new Caller(pool, id));
    const all = Promise.all(callers.map((caller) => caller.run(() => over)));
    for (let turn = 0; turn === 0 || tally.sent < GOAL; turn++) await trouble(turn);
    over = true;
    await all;
    const seconds = (performance.now() - began) / 1000;
    await Promise.all(callers.map((caller) => caller.look()));
    const most = await stopWatching();
    if (COMMANDS) console.log({ ...tally, most, seconds, connected: pool.stats().connected });
    expect([...tally.wrong]).toEqual([]);
    expect(Math.max(...most.values())).toBeLessThanOrEqual(BOUND);
    expect(most.size).toBeGreaterThanOrEqual(4);
  },
  120_000 + GOAL,
);
