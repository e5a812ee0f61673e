import { Cluster } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { Pool } from '../../src/index.ts';
import { until, useServer } from '../helpers/redis.ts';

const node = useServer(['--cluster-enabled', 'yes']);
const server = useServer();
const NAME = /ClusterPool, of bounded-redis-pool\/cluster/;

/** What is warned of from now on. */
function warnings(): string[] {
  const all: string[] = [];
  const listener = ({ message }: Error): void => void all.push(message);
  process.on('warning', listener);
  onTestFinished(() => void process.off('warning', listener));
  return all;
}

test('a Pool at a node of a cluster says once what to use', async () => {
  const told = warnings();
  const pool = node.pool({ name: 'at-a-node', maxActive: 3 });
  await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
  await until('it has warned', () => told.length > 0);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/^pool at-a-node: the server is a node of a cluster/);
  expect(told[0]).toMatch(NAME);
});

test('a Pool at a single server says nothing', async () => {
  const told = warnings();
  await server.pool().use((redis) => redis.ping());
  await new Promise((resolve) => process.nextTick(resolve));
  expect(told).toEqual([]);
});

test('what belongs to a cluster is refused, with the name of the class', async () => {
  const cluster = new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true });
  onTestFinished(() => cluster.disconnect());
  for (const wrong of [
    { redis: cluster },
    { redis: { cluster: [{ host: '127.0.0.1', port: 1 }] } },
    { redis: { nodes: ['redis://127.0.0.1'] } },
    { cluster: ['redis://127.0.0.1'] },
    { nodes: ['redis://127.0.0.1'] },
    { rootNodes: [] },
    cluster,
  ]) {
    expect(() => new Pool(wrong as never)).toThrow(NAME);
  }
  const pool = new Pool({ createClient: () => cluster as never });
  await expect(pool.acquire()).rejects.toMatchObject({ cause: { message: expect.stringMatching(NAME) } });
  await pool.close();
});
