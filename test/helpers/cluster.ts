import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { ClusterPool, type ClusterPoolOptions } from '../../src/cluster/index.ts';
import type { Clock } from '../../src/util/clock.ts';
import { freePort, type RunningServer, startServer } from '../../tools/redis-server.js';
import { freezeProcess } from './child.ts';
import { type Client, clientList, until } from './redis.ts';

const SLOTS = 16_384;
/** How long a master may be silent until the others take it for dead. Milliseconds. */
const NODE_TIMEOUT_MS = 1000;
/** The bus of the cluster speaks on the port that is so much higher. */
const BUS = 10_000;

type SlotsReply = [from: number, to: number, master: [host: string, port: number, id: string]][];

/** What the servers of a cluster have in common. */
export interface ClusterSetup {
  /** The address by which they know each other. Default: 127.0.0.1, at which they listen in any case. */
  readonly host?: string;
  /** What the default user has to give. */
  readonly password?: string;
  /** Arguments for TLS but the port: each server has a port for it besides, and the bus speaks it. */
  readonly tls?: readonly string[];
}

/** One server of a cluster. It keeps its place and its name when it is killed and started again. */
export class ClusterNode {
  readonly #dir = mkdtempSync(join(tmpdir(), 'redis-cluster-'));
  readonly #args: readonly string[];
  readonly #password: string | undefined;
  #running: RunningServer | undefined;
  #observer: Redis | undefined;
  #id: string | undefined;
  frozen = false;

  constructor(
    readonly port: number,
    args: readonly string[],
    { host = '127.0.0.1', password, tls }: ClusterSetup = {},
    /** The port for TLS, if it has one. */
    readonly tlsPort?: number,
  ) {
    this.#password = password;
    this.#args = [
      ...(host === '127.0.0.1' ? [] : ['--bind', '127.0.0.1', host]),
      ...(password === undefined ? [] : ['--requirepass', password, '--masterauth', password]),
      ...(tls
        ? ['--tls-port', String(tlsPort), '--tls-cluster', 'yes', '--tls-replication', 'yes', ...tls]
        : []),
      ...args,
    ];
  }

  async start(): Promise<void> {
    const cluster = {
      'cluster-enabled': 'yes',
      'cluster-config-file': 'nodes.conf',
      'cluster-node-timeout': String(NODE_TIMEOUT_MS),
      'repl-diskless-sync-delay': '0',
      dir: this.#dir,
    };
    const args = Object.entries(cluster).flatMap(([name, value]) => [`--${name}`, value]);
    this.#running = await startServer({ args: [...args, ...this.#args], port: this.port });
    this.#observer ??= new Redis(this.port, '127.0.0.1', {
      connectionName: 'observer',
      retryStrategy: () => 50,
      ...(this.#password !== undefined && { password: this.#password }),
    }).on('error', () => {});
    this.#id ??= String(await this.observer.cluster('MYID'));
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get url(): string {
    return `redis://${this.address}`;
  }

  /** Its name in the cluster. */
  get id(): string {
    return this.#id ?? expect.fail('the node was never started');
  }

  /** A client that is none of the pool's. It connects again by itself. */
  get observer(): Redis {
    return this.#observer ?? expect.fail('the node was never started');
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
    this.frozen = false;
  }

  /** From now on the kernel alone accepts connections, and nobody answers. */
  freeze(): void {
    this.frozen = true;
    freezeProcess(this.#running?.pid ?? expect.fail('the node does not run'));
  }

  thaw(): void {
    this.frozen = false;
    process.kill(this.#running?.pid ?? expect.fail('the node does not run'), 'SIGCONT');
  }

  /** The connections of pools. Those of other nodes have no name. */
  async clients(): Promise<Client[]> {
    const list = await clientList(this.observer);
    return list.filter(({ name }) => name !== 'observer' && name !== '');
  }

  async info(field: string): Promise<string> {
    const text = `${await this.observer.info()}${await this.observer.cluster('INFO')}`;
    return new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? expect.fail(`INFO has no ${field}`);
  }

  async dispose(): Promise<void> {
    this.#observer?.disconnect();
    await this.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Three masters with a replica each, on loopback, empty. */
export class TestCluster {
  readonly #args: readonly string[];
  readonly #setup: ClusterSetup;
  nodes: ClusterNode[] = [];

  constructor(args: readonly string[] = [], setup: ClusterSetup = {}) {
    this.#args = args;
    this.#setup = setup;
  }

  async start(): Promise<void> {
    for (let left = 6; left > 0; left--) await this.startNode();
    const [first] = this.nodes as [ClusterNode];
    const share = Math.ceil(SLOTS / 3);
    for (const [i, node] of this.nodes.entries()) {
      await node.observer.cluster('SET-CONFIG-EPOCH', i + 1);
      if (i > 2) continue;
      const end = Math.min(SLOTS, (i + 1) * share);
      const slots = Array.from({ length: end - i * share }, (_, at) => i * share + at);
      await node.observer.cluster('ADDSLOTS', ...slots);
    }
    const { host = '127.0.0.1' } = this.#setup;
    for (const { tlsPort, port } of this.nodes.slice(1))
      await first.observer.cluster('MEET', host, tlsPort ?? port);
    await this.#allKnow(6);
    for (const [i, node] of this.nodes.slice(3).entries()) {
      await node.observer.cluster('REPLICATE', (this.nodes[i] as ClusterNode).id);
    }
    await this.healthy();
  }

  /** One more server, which belongs to nothing yet. */
  async startNode(): Promise<ClusterNode> {
    const tlsPort = this.#setup.tls && (await freeClusterPort());
    const node = new ClusterNode(await freeClusterPort(), this.#args, this.#setup, tlsPort);
    this.nodes.push(node);
    await node.start();
    return node;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.dispose()));
  }

  /** Urls of all, for `nodes`. */
  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** Starts what was killed, goes on with what is frozen, and waits until all is well again. */
  async heal(): Promise<void> {
    for (const node of this.nodes) {
      if (node.frozen) node.thaw();
      if (!node.running) await node.start();
    }
    await this.healthy();
  }

  /** Waits until all slots are served, every node agrees, and every replica has its master's data. */
  async healthy(): Promise<void> {
    await until('the cluster is well', async () => {
      const views = await Promise.all(this.nodes.map((node) => this.#view(node)));
      return views.every((view) => view !== undefined && view === views[0]);
    });
  }

  /** Who has which slots, as `node` sees it; nothing while it is not well. */
  async #view(node: ClusterNode): Promise<string | undefined> {
    try {
      if ((await node.info('cluster_state')) !== 'ok') return undefined;
      if ((await node.info('role')) === 'slave' && (await node.info('master_link_status')) !== 'up') {
        return undefined;
      }
      const lines = String(await node.observer.cluster('NODES'))
        .trim()
        .split('\n');
      if (lines.length !== this.nodes.length || lines.some((line) => /fail|handshake|noaddr/.test(line))) {
        return undefined;
      }
      const brief = lines.map((line) => {
        const [id, , flags, master, , , epoch, , ...slots] = line.split(' ');
        return [
          id,
          flags?.replace('myself,', ''),
          master,
          epoch,
          ...slots.filter((one) => !one.startsWith('[')),
        ].join(' ');
      });
      return brief.sort().join('\n');
    } catch {
      return undefined; // it is just being started
    }
  }

  async #allKnow(count: number): Promise<void> {
    await until('all nodes know each other', async () => {
      const known = await Promise.all(this.nodes.map((node) => node.info('cluster_known_nodes')));
      return known.every((one) => one === String(count));
    });
  }

  byId(id: string): ClusterNode {
    return this.nodes.find((node) => node.id === id) ?? expect.fail(`no node ${id}`);
  }

  /** The nodes that are masters of slots, in order of these. */
  async masters(from = this.#anyone()): Promise<ClusterNode[]> {
    const shards = (await from.observer.cluster('SLOTS')) as unknown as SlotsReply;
    shards.sort(([a], [b]) => a - b);
    return [...new Set(shards.map(([, , [, , id]]) => this.byId(id)))];
  }

  /** The master that has `key`. */
  async ownerOf(key: string): Promise<ClusterNode> {
    const slot = Number(await this.#anyone().observer.cluster('KEYSLOT', key));
    const shards = (await this.#anyone().observer.cluster('SLOTS')) as unknown as SlotsReply;
    const found =
      shards.find(([from, to]) => slot >= from && slot <= to) ?? expect.fail(`slot ${slot} has no owner`);
    return this.byId(found[2][2]);
  }

  /** A key that `node` has. */
  async keyOf(node: ClusterNode): Promise<string> {
    for (let i = 0; ; i++) if ((await this.ownerOf(`key:${i}`)) === node) return `key:${i}`;
  }

  /** A replica of `master`. */
  async replicaOf(master: ClusterNode): Promise<ClusterNode> {
    const lines = (await this.#anyone().observer.cluster('REPLICAS', master.id)) as string[];
    return this.byId(lines[0]?.split(' ')[0] ?? expect.fail('it has no replica'));
  }

  /** Has all others forget `node`, and ends it. */
  async remove(node: ClusterNode): Promise<void> {
    this.nodes = this.nodes.filter((one) => one !== node);
    for (const other of this.nodes) await other.observer.cluster('FORGET', node.id);
    await node.dispose();
  }

  /** Has `replica` take its master's place, as one does for maintenance. Resolves when all know. */
  async failover(replica: ClusterNode): Promise<void> {
    await replica.observer.cluster('FAILOVER');
    await until('the replica is a master', async () => (await replica.info('role')) === 'master');
    await this.healthy();
  }

  /** Begins to move `slot`: from now on `from` answers ASK for what it has not, and `to` takes it when asked. */
  async beginMove(slot: number, from: ClusterNode, to: ClusterNode): Promise<void> {
    await to.observer.cluster('SETSLOT', slot, 'IMPORTING', from.id);
    await from.observer.cluster('SETSLOT', slot, 'MIGRATING', to.id);
  }

  /** Moves what keys `slot` has. */
  async moveKeys(slot: number, from: ClusterNode, to: ClusterNode): Promise<void> {
    for (;;) {
      const keys = (await from.observer.cluster('GETKEYSINSLOT', slot, 100)) as string[];
      if (keys.length === 0) return;
      await from.observer.migrate('127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys);
    }
  }

  /** Ends the move of `slot`. Who has given its last one away becomes a replica, and need not be told. */
  async endMove(slot: number, from: ClusterNode, to: ClusterNode): Promise<void> {
    await to.observer.cluster('SETSLOT', slot, 'NODE', to.id);
    await from.observer.cluster('SETSLOT', slot, 'NODE', to.id).catch((error: Error) => {
      if (!error.message.includes('only with masters')) throw error;
    });
  }

  async moveSlot(slot: number, from: ClusterNode, to: ClusterNode): Promise<void> {
    await this.beginMove(slot, from, to);
    await this.moveKeys(slot, from, to);
    await this.endMove(slot, from, to);
  }

  /** Slots that `node` has, as it sees it. */
  async slotsOf(node: ClusterNode): Promise<number[]> {
    const shards = (await node.observer.cluster('SLOTS')) as unknown as SlotsReply;
    const own = shards.filter(([, , [, , id]]) => id === node.id);
    return own.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
  }

  /** Looks at the connections of pools again and again. What it returns ends that, and tells the most at each node. */
  watchBound(): () => Promise<ReadonlyMap<string, number>> {
    const most = new Map<string, number>();
    let over = false;
    const all = (async () => {
      while (!over) {
        for (const node of this.nodes) {
          if (!node.running || node.frozen) continue;
          const { length } = await node.clients().catch(() => []);
          if (length > 0) most.set(node.address, Math.max(length, most.get(node.address) ?? 0));
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    return async () => {
      over = true;
      await all;
      return most;
    };
  }

  /** A pool to this cluster, closed with the test; with a clock of the test's own no machine is too slow for it. */
  pool(options: Partial<ClusterPoolOptions> = {}, clock?: Clock): ClusterPool {
    const pool = new ClusterPool(
      { nodes: this.urls, ...options } as ClusterPoolOptions,
      clock ? { clock } : {},
    );
    onTestFinished(() => pool.close({ graceMs: 0 }));
    return pool;
  }

  #anyone(): ClusterNode {
    return this.nodes.find(({ running, frozen }) => running && !frozen) ?? expect.fail('no node runs');
  }
}

/** A cluster for all tests of a file. */
export function useCluster(args: readonly string[] = [], setup: ClusterSetup = {}): TestCluster {
  const cluster = new TestCluster(args, setup);
  beforeAll(() => cluster.start());
  afterAll(() => cluster.stop());
  return cluster;
}

/** A loopback port that nobody listens on, nor on that of its bus. */
async function freeClusterPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port < 65_535 - BUS && (await isFree(port + BUS))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer().once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
