import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { useCluster } from '../helpers/cluster.ts';
import { until } from '../helpers/redis.ts';

const cluster = useCluster();

test('a split command with a key twice, or with one of another type, answers as one server does', async () => {
  const { redis } = cluster.pool();
  await redis.mset('d1', 'a', 'd2', 'b', 'd1', 'c', 'd3', 'd');
  expect(await redis.mget('d1', 'd2', 'd1', 'd3')).toEqual(['c', 'b', 'c', 'd']);
  expect(await redis.exists('d1', 'd2', 'd1')).toBe(3);
  await redis.lpush('list', 'x');
  expect(await redis.mget('d1', 'list', 'd2')).toEqual(['c', null, 'b']);
  expect(await redis.mget(Buffer.from('d1'), Buffer.from('d3'))).toEqual(['c', 'd']);
  expect(await redis.del('d1', 'd2', 'd1', 'd3', 'list')).toBe(4);
  expect(await redis.mset({ o1: '1', o2: '2' })).toBe('OK');
  expect(
    await redis.mset(
      new Map([
        ['o1', '3'],
        ['o2', '4'],
      ]),
    ),
  ).toBe('OK');
  expect(await redis.mget(['o1', 'o2'])).toEqual(['3', '4']);
  const missing = "ERR wrong number of arguments for 'mset' command";
  for (const odd of [['o1'], ['o1', '5', 'o2'], ['o1', '5', 'o2', '6', 'o3']]) {
    await expect(redis.mset(...odd)).rejects.toThrow(missing);
    const pipeline = redis.pipeline().mset(...odd);
    expect(await pipeline.exec()).toMatchObject([[{ message: missing }]]);
  }
  expect(await redis.get('o1')).toBe('3');
});

test('an error of one entry of a pipeline is the error of that entry', async () => {
  const { redis } = cluster.pool();
  await redis.del('e1', 'e2');
  const results = await redis
    .pipeline()
    .set('e1', 'x')
    .incr('e1')
    .sunion('e1', 'e2')
    .mget('e1', 'e2')
    .call('NO.SUCH', 'e2')
    .get('e1')
    .exec();
  expect(results?.map(([error, reply]) => error?.message.split(' ')[0] ?? reply)).toEqual([
    'OK',
    'ERR',
    'CROSSSLOT',
    ['x', null],
    'ERR',
    'x',
  ]);
});

test('keys of every form go where the server has them', async () => {
  const { redis } = cluster.pool();
  for (const key of ['{}x', '{', '}', '{}{a}', 'a{b', '{{a}}', '{a}{b}', 'x}y{z}', '', 'ä{ö}ü']) {
    expect(await redis.set(key, 'v'), key).toBe('OK');
    expect(await redis.getBuffer(Buffer.from(key)), key).toEqual(Buffer.from('v'));
    expect(await (await cluster.ownerOf(key)).observer.get(key), key).toBe('v');
  }
});

test('scripts without keys, unknown commands and sendCommand', async () => {
  const { redis } = cluster.pool();
  expect(await redis.eval('return 7', 0)).toBe(7);
  expect(await redis.eval('return redis.call("set", KEYS[1], ARGV[1])', 1, 'ev', 'x')).toBe('OK');
  await expect(redis.call('NO.SUCH', 'k', 'v')).rejects.toThrow(/unknown command/);
  await expect(redis.call('NOSUCH')).rejects.toThrow(/unknown command/);
  expect(await redis.call('SET', 'called', '1')).toBe('OK');
  expect(await redis.call('get', ['called'])).toBe('1');
  redis.defineCommand('twice', { numberOfKeys: 1, lua: 'return ARGV[1] .. ARGV[1]' });
  const own = redis as unknown as { twice(key: string, value: string): Promise<string> };
  for (let i = 0; i < 9; i++) expect(await own.twice(`own:${i}`, 'ab')).toBe('abab');
  await expect(redis.select(1)).rejects.toThrow();
});

test('blocking commands and pub/sub, over leases and the client', async () => {
  const pool = cluster.pool({ maxActive: 3 });
  const popped = pool.redis.blpop('jobs', 5);
  await pool.redis.rpush('jobs', 'one');
  expect(await popped).toEqual(['jobs', 'one']);
  await expect(pool.redis.blpop('jobs', 'others', 1)).rejects.toThrow(/^CROSSSLOT/);
  await pool.use(
    async (lease) => {
      const heard: string[] = [];
      lease.on('message', (_, message) => heard.push(message));
      await lease.subscribe('news');
      await pool.redis.publish('news', 'x');
      await until('it is heard', () => heard.length > 0);
      await lease.unsubscribe('news');
    },
    { key: 'any' },
  );
  await expect(pool.redis.subscribe('news')).rejects.toMatchObject({ code: 'POOL_STATEFUL_COMMAND' });
});

test('a keyPrefix counts for every form of a command', async () => {
  const { redis } = cluster.pool({ redis: { keyPrefix: 'pre:' } });
  await redis.mset('a', '1', 'b', '2', 'c', '3');
  expect(await redis.mget('a', 'b', 'c')).toEqual(['1', '2', '3']);
  expect(await redis.pipeline().get('a').incr('b').exec()).toEqual([
    [null, '1'],
    [null, 3],
  ]);
  expect(await redis.multi().get('a').incr('a').exec()).toEqual([
    [null, '1'],
    [null, 2],
  ]);
  expect(await redis.eval('return KEYS[1]', 1, 'a')).toBe('pre:a');
  expect(await redis.del('a', 'b', 'c')).toBe(3);
});

test('a wrong password is told as what it is, and does not bring a storm of dials', async () => {
  const pool = cluster.pool({ redis: { password: 'wrong', username: 'nobody' } });
  for (const work of [() => pool.redis.get('k'), () => pool.ready(), () => pool.acquire({ key: 'k' })]) {
    await expect(work()).rejects.toMatchObject({
      code: 'POOL_CONNECT_FAILED',
      cause: { message: expect.stringContaining('WRONGPASS') },
    });
  }
  expect(await pool.health()).toMatchObject({ ok: false, error: expect.stringContaining('WRONGPASS') });
  expect(pool.stats().connectFailed).toBeLessThan(60);
});

test('a user who may do little hears so, and the rest works', async () => {
  for (const node of cluster.nodes)
    await node.observer.call('ACL', 'SETUSER', 'app', 'on', '>pw', '~app:*', '+@all', '-flushall');
  const { redis } = cluster.pool({ redis: { username: 'app', password: 'pw' } });
  expect(await redis.set('app:1', '1')).toBe('OK');
  await expect(redis.set('other', '1')).rejects.toThrow(/^NOPERM/);
  await expect(redis.flushall()).rejects.toThrow(/^NOPERM/);
  const [one, two] = (await redis.multi().incr('app:1').get('app:1').exec()) ?? [];
  expect([one, two]).toEqual([
    [null, 2],
    [null, '2'],
  ]);
});

test('SCAN sees all that is there all the time, while slots move', async () => {
  const { redis } = cluster.pool();
  await redis.flushall();
  const keys = Array.from({ length: 200 }, (_, i) => `s:${i}`);
  await Promise.all(keys.map((key) => redis.set(key, '1')));
  const seen = new Set<string>();
  const [from, to] = await cluster.masters();
  if (!from || !to) expect.fail('too few masters');
  const moving = cluster
    .moveSlot(Number(await from.observer.cluster('KEYSLOT', 'empty')), await cluster.ownerOf('empty'), to)
    .catch(() => {});
  for await (const some of redis.scanStream({ match: 's:*', count: 10 }))
    for (const key of some as string[]) seen.add(key);
  await moving;
  expect(seen.size).toBe(200);
  expect(inspect(cluster.pool())).toMatch(/^ClusterPool '/);
  await cluster.healthy();
});
