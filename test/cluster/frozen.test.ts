import { expect, test } from 'vitest';
import type { ClusterPool } from '../../src/cluster/index.ts';
import { type Clock, systemClock } from '../../src/util/clock.ts';
import { useCluster } from '../helpers/cluster.ts';

const cluster = useCluster();

/** A clock that goes on with its timers, however late these are, and stops short of what happens each ten seconds. */
function shortClock(): Clock {
  let now = 0;
  const after: Clock['after'] = (ms, run, background) => {
    const due = Math.min(now + ms, 9000);
    const ring = (): void => {
      now = Math.max(now, due);
      run();
    };
    return systemClock.after(ms, ring, background);
  };
  return { ...systemClock, after, now: () => now };
}

/** What alone waits for the master. Each brings its pool to that; what it returns then is begun when the master is frozen. */
const WAITS: Record<string, (pool: ClusterPool) => Promise<() => Promise<unknown>>> = {
  'a command': async ({ redis }) => {
    await redis.get('k');
    return () => expect(redis.get('k')).resolves.toBe('1');
  },
  'a command with a connection of its own': async ({ redis }) => {
    await redis.get('k');
    const lost = { code: 'POOL_CONNECTION_LOST' };
    return () => expect(redis.call('no.such', 'k')).rejects.toMatchObject(lost);
  },
  "a lease's command": async (pool) => {
    const lease = await pool.acquire({ key: 'k' });
    return () =>
      expect(lease.get('k'))
        .resolves.toBe('1')
        .then(() => lease.release());
  },
  'a caller, while leases have all connections': async (pool) => {
    const leases = await Promise.all([1, 2].map(() => pool.acquire({ key: 'k' })));
    return async () => {
      expect(await pool.use((lease) => lease.get('k'), { key: 'k', timeoutMs: 50_000 })).toBe('1');
      for (const lease of leases) lease.release();
    };
  },
};

test('a master that freezes is noticed, whatever it is that waits for it', async () => {
  const pools = Object.keys(WAITS).map(() => cluster.pool({ maxActive: 2 }, shortClock()));
  await pools[0]?.redis.set('k', '1');
  const begins = await Promise.all(Object.values(WAITS).map((bring, i) => bring(pools[i] as ClusterPool)));
  (await cluster.ownerOf('k')).freeze();
  await Promise.all(begins.map((begin) => begin()));
  await cluster.heal();
});
