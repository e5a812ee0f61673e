import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { ClusterPool, type ClusterPoolOptions } from '../../src/cluster/index.ts';
import { slotOf } from '../../src/cluster/slot.ts';
import { Failure, type Reply } from '../../src/integrations/mock/reply.ts';
import { encode, RequestReader } from '../../src/integrations/mock/resp.ts';
import { PoolSessionStore } from '../../src/integrations/session/index.ts';
import { Middle } from '../helpers/middle.ts';
import { errorOf } from '../helpers/outcomes.ts';
import { until, useServer } from '../helpers/redis.ts';
import { type TcpServer, tcpServer } from '../helpers/tcp-server.ts';
import { unheard } from '../helpers/unheard.ts';

const LAST = 16_383;
const single = useServer();

/** A node that says what a test wants of it, and answers all else with the number of its port. */
async function fakeNode(
  slots: (port: number) => Reply,
  answer: (name: string, port: number) => Reply | undefined = () => undefined,
): Promise<TcpServer> {
  const server: TcpServer = await tcpServer((socket) => {
    const reader = new RequestReader();
    socket.on('data', (data) => {
      for (const [name = '', what = ''] of reader.read(data)) {
        const said = answer(name.toLowerCase(), server.port);
        let reply: Reply = said === undefined ? server.port : said;
        if (name.toLowerCase() === 'info') reply = 'redis_mode:cluster\r\nloading:0\r\n';
        else if (what.toLowerCase() === 'slots') reply = slots(server.port);
        else if (name.toLowerCase() === 'cluster') reply = 'cluster_state:ok\r\ncluster_current_epoch:1\r\n';
        socket.write(encode(reply, 2), 'latin1');
      }
    });
  });
  return server;
}

function poolAt({ url }: { readonly url: string }, options: Partial<ClusterPoolOptions> = {}): ClusterPool {
  const pool = new ClusterPool({ nodes: [url], acquireTimeoutMs: 50_000, ...options });
  onTestFinished(() => pool.close({ graceMs: 0 }));
  return pool;
}

const all = (host: Reply, port: Reply): Reply => [0, LAST, [host, port, 'id', []]];

test.each<[string, (port: number) => Reply[]]>([
  ['no host', (port) => [all('', port)]],
  ['null for a host', (port) => [all(null, port)]],
  ['a question mark for a host', (port) => [all('?', port)]],
  [
    'slots and ports that there are not',
    (port) => [
      all('127.0.0.1', port),
      [-5, 3, ['127.0.0.1', 1, 'x', []]],
      [16_384, 20_000, ['127.0.0.1', 1, 'x', []]],
      [7, 2 ** 53, ['127.0.0.1', 1, 'x', []]],
      [9, 8, ['127.0.0.1', 1, 'x', []]],
      all('127.0.0.1', 0),
      all('127.0.0.1', 65_536),
      all('127.0.0.1', -1),
      all('127.0.0.1', 'x'),
      all('127.0.0.1', null),
    ],
  ],
  [
    'hosts that are none',
    (port) => [
      all('127.0.0.1', port),
      ...[
        'a b',
        'a\tb',
        '/tmp/redis.sock',
        'http://127.0.0.1',
        'user:pw@127.0.0.1',
        '127.0.0.1:6379',
        '[::1',
        '-',
        '"',
        '{x}',
        'a,b',
        '\u001b[31m',
        'x'.repeat(300),
      ].map((host) => all(host, 1)),
      all(7, 1),
      all([], 1),
      all(['127.0.0.1'], 1),
    ],
  ],
  [
    'all slots by two nodes, of which one is not there',
    (port) => [all('127.0.0.1', port), all('127.0.0.1', 1)],
  ],
  [
    'ranges that overlap',
    (port) => [
      [0, 9000, ['127.0.0.1', port, 'a', []]],
      [8000, LAST, ['127.0.0.1', port, 'a', []]],
      [100, 200, ['127.0.0.1', 1, 'b', []]],
    ],
  ],
  ['names that objects have', (port) => [all('127.0.0.1', port), all('__proto__', 1), all('constructor', 1)]],
  [
    'what is no list',
    (port) => [all('127.0.0.1', port), 'x', 7, null, [], [0], [0, 1], [0, 1, 'x'], [0, 1, []], [[[]]]],
  ],
])('a node that tells %s does not keep anybody from those that are there', async (_, slots) => {
  const node = await fakeNode(slots);
  const pool = poolAt(node);
  await pool.ready();
  expect(await Promise.all(['a', 'b', 'c', 'd'].map((key) => pool.redis.get(key)))).toEqual(
    Array(4).fill(node.port),
  );
  expect(await pool.redis.mget('a', 'b').catch(() => 'refused')).toBeDefined();
  expect(await pool.health()).toMatchObject({ ok: true });
  expect(pool.stats()).toMatchObject({ connectFailed: 0 });
  expect(Object.keys(pool.stats().nodes)).toEqual([`127.0.0.1:${node.port}`]);
});

test.each<[string, (port: number) => Reply, RegExp]>([
  ['nothing', () => [], /serves a slot/],
  ['null', () => null, /serves a slot/],
  ['a text', () => 'x'.repeat(1000), /serves a slot/],
  ['only what cannot be', () => [all('a b', 1), [-1, 3, ['h', 1]]], /serves a slot/],
  [
    'that it has no cluster',
    () => new Failure('ERR This instance has cluster support disabled'),
    /cluster support disabled/,
  ],
  [
    'that nobody may ask',
    () => new Failure("NOPERM User app has no permissions to run the 'cluster|slots' command"),
    /NOPERM/,
  ],
])('a node that tells %s is refused at once, with that as the cause', async (_, slots, cause) => {
  const pool = poolAt(await fakeNode(slots));
  for (const work of [pool.ready(), pool.redis.get('k'), pool.acquire({ key: 'k' })]) {
    const error = await errorOf(work);
    expect(error).toMatchObject({ code: 'POOL_CONNECT_FAILED' });
    expect(inspect(error)).toMatch(cause);
  }
  expect(await pool.health()).toMatchObject({ ok: false, error: expect.stringMatching(cause) });
});

test('a server that is none of a cluster says so at once', async () => {
  const pool = poolAt(single);
  for (const work of [pool.ready(), pool.redis.get('k'), pool.acquire({ key: 'k' })]) {
    await expect(work).rejects.toMatchObject({
      code: 'POOL_CONNECT_FAILED',
      message: expect.stringContaining('cluster support disabled'),
    });
  }
});

test('slots that nobody serves are waited for, and told when the time is over; the others are served meanwhile', async () => {
  const half = slotOf('k');
  const pool = poolAt(
    await fakeNode((port) => [
      [0, half - 1, ['', port]],
      [half + 1, LAST, ['', port]],
    ]),
    {
      acquireTimeoutMs: 300,
    },
  );
  await expect(pool.ready()).rejects.toThrow(/1 slots? (is|are) served by no node/);
  const lost = [pool.redis.get('k'), pool.redis.multi().get('k').exec(), pool.acquire({ key: 'k' })].map(
    errorOf,
  );
  expect(await pool.redis.get('other')).toBeTypeOf('number');
  for (const error of await Promise.all(lost)) {
    expect(error).toMatchObject({
      code: 'POOL_ACQUIRE_TIMEOUT',
      cause: { message: expect.stringContaining('serves the slot') },
    });
  }
});

test('the client is ready as long as one master can be reached, and before anything is known', async () => {
  const before = slotOf('k') - 1;
  const node = await fakeNode((port) => [
    [0, before, ['', port]],
    [before + 1, LAST, ['127.0.0.1', 1]],
  ]);
  const pool = poolAt(node, { acquireTimeoutMs: 100 });
  const heard: string[] = [];
  const store = new PoolSessionStore({ pool, failOpen: true });
  store.on('disconnect', () => heard.push('disconnect'));
  expect(pool.redis.status).toBe('ready');
  await expect(pool.redis.get('k')).rejects.toMatchObject({
    code: 'POOL_ACQUIRE_TIMEOUT',
    cause: { code: 'POOL_CONNECT_FAILED' },
  });
  expect(pool.redis.status).toBe('ready');
  const here =
    Array.from({ length: 100 }, (_, i) => `key:${i}`).find((key) => slotOf(key) <= before) ?? expect.fail();
  expect(await pool.redis.get(here)).toBe(node.port);
  expect(heard).toEqual([]);
  node.close();
  await until('it is known', () =>
    pool.redis.get(here).then(
      () => false,
      () => pool.redis.status === 'connecting',
    ),
  );
  const lost = poolAt(node, { acquireTimeoutMs: 100 });
  expect(lost.redis.status).toBe('ready');
  await expect(lost.redis.get('k')).rejects.toMatchObject({ code: 'POOL_CONNECT_FAILED' });
  expect(lost.redis.status).toBe('connecting');
  await lost.close();
  expect(lost.redis.status).toBe('end');
  await until('the store has said so', () => heard.length > 0);
});

test('a client that nobody asks for anything becomes ready again by itself, soon after there are nodes', async () => {
  const node = await fakeNode((port) => [all('', port)]);
  const way = await Middle.to(node.port);
  way.refuse();
  const { redis } = poolAt(way);
  await expect(redis.get('k')).rejects.toMatchObject({ code: 'POOL_CONNECT_FAILED' });
  expect(redis.status).toBe('connecting');
  await way.accept();
  // Nodes are asked every ten seconds though nothing has happened: it has to be sooner than that.
  await until('it is ready', () => redis.status === 'ready', 8000);
});

test('addresses of IPv6 are told, named, mapped, and followed in redirections', async () => {
  const other = await fakeNode(() => []);
  const node = await fakeNode(
    (port) => [[0, LAST, ['2001:db8::1', port, 'a', []], ['2001:db8::1', 7, 'r', []]]],
    (name) => {
      if (name === 'get') return new Failure(`MOVED ${slotOf('k')} 2001:db8::2:${other.port}`);
      return name === 'incr' ? new Failure(`ASK ${slotOf('k')} 2001:db8::2:${other.port}`) : undefined;
    },
  );
  const told: string[] = [];
  const natMap = (address: string) => {
    told.push(address);
    return { host: '127.0.0.1', port: Number(/^\[2001:db8::[12]\]:(\d+)$/.exec(address)?.[1]) };
  };
  const pool = poolAt(node, { natMap });
  expect(await pool.redis.incr('k')).toBe(other.port);
  expect(await pool.redis.get('k')).toBe(other.port);
  expect(told).toContain(`[2001:db8::2]:${other.port}`);
});

test('a redirection without a host leads to the host that was asked, if all nodes are there', async () => {
  const other = await fakeNode(() => []);
  for (const host of ['', '?']) {
    const node = await fakeNode(
      (port) => [all(host, port)],
      (name) => (name === 'get' ? new Failure(`MOVED ${slotOf('k')} ${host}:${other.port}`) : undefined),
    );
    expect(await poolAt(node).redis.get('k')).toBe(other.port);
  }
});

test('where nodes are at several hosts, one that does not know the host is not believed to mean its own', async () => {
  let moved = false;
  const other = await fakeNode(() => []);
  const node = await fakeNode(
    (port) => [
      [slotOf('k'), slotOf('k'), moved ? ['localhost', other.port] : ['127.0.0.1', port]],
      ...[
        [0, slotOf('k') - 1],
        [slotOf('k') + 1, LAST],
      ].map((range) => [...range, ['localhost', other.port]]),
    ],
    (name) => {
      if (name !== 'get') return undefined;
      moved = true;
      return new Failure(`MOVED ${slotOf('k')} ?:1`);
    },
  );
  const pool = poolAt(node);
  const dialled: (string | undefined)[] = [];
  pool.on('connecting', ({ node: name }) => dialled.push(name));
  const lent = pool.use((lease) => lease.get('k'), { key: 'k' });
  expect(await Promise.all([pool.redis.get('k'), lent])).toEqual([other.port, other.port]);
  expect(dialled).not.toContain('127.0.0.1:1');
});

test.each([
  ['MOVED to itself', (port: number) => `MOVED ${slotOf('k')} 127.0.0.1:${port}`],
  ['MOVED to itself, without a host', (port: number) => `MOVED ${slotOf('k')} :${port}`],
  ['ASK to itself', (port: number) => `ASK ${slotOf('k')} 127.0.0.1:${port}`],
  ['MOVED to nobody', () => `MOVED ${slotOf('k')} 127.0.0.1:1`],
  ['MOVED to a name of nobody knows whom', (port: number) => `MOVED ${slotOf('k')} ?:${port}`],
  ['MOVED of a slot that there is not', (port: number) => `MOVED 99999 127.0.0.1:${port}`],
  ['MOVED to a port that there is not', () => `MOVED ${slotOf('k')} 127.0.0.1:99999`],
  ['MOVED to a host that is none', (port: number) => `MOVED ${slotOf('k')} user:pw@127.0.0.1:${port}`],
  ['MOVED of half a line', () => 'MOVED 1'],
])('a node that answers %s for ever is given up in time, and others are served', async (_, text) => {
  const heard = await unheard(async () => {
    const node = await fakeNode(
      (port) => [all('', port)],
      (name, port) => (name === 'get' ? new Failure(text(port)) : undefined),
    );
    const pool = poolAt(node, { acquireTimeoutMs: 200, outageWaitMs: 200 });
    const gets = await Promise.allSettled([
      pool.redis.get('k'),
      pool.redis.multi().get('k').exec(),
      pool.use((lease) => lease.get('k'), { key: 'k' }),
    ]);
    expect(gets.map(({ status }) => status)).toContain('rejected');
    await until('others are served', () =>
      pool.redis.strlen('other').then(
        () => true,
        () => false,
      ),
    );
    await pool.close({ graceMs: 0 });
    expect(pool.stats()).toMatchObject({ total: 0, queuedCommands: 0, inFlight: 0 });
  });
  expect(heard).toEqual([]);
});
