import { networkInterfaces } from 'node:os';
import { inspect } from 'node:util';
import type { Attributes, Meter, Observable } from '@opentelemetry/api';
import { Registry } from 'prom-client';
import { afterAll, expect, test } from 'vitest';
import { EVENT_NAMES } from '../../src/api/events.ts';
import { resolveClusterOptions } from '../../src/cluster/cluster-options.ts';
import type { ClusterPool, ClusterPoolOptions, NatMap } from '../../src/cluster/index.ts';
import type { ClientOptions } from '../../src/index.ts';
import { instrumentPool } from '../../src/integrations/observe/opentelemetry.ts';
import { collectPool } from '../../src/integrations/observe/prometheus.ts';
import { Authority, temporaryFiles } from '../helpers/certificate.ts';
import { type ClusterNode, useCluster } from '../helpers/cluster.ts';
import { Middle } from '../helpers/middle.ts';
import { errorOf } from '../helpers/outcomes.ts';
import { until } from '../helpers/redis.ts';
import { expectNoSecret } from '../helpers/secrets.ts';
import { unheard } from '../helpers/unheard.ts';

const PASSWORD = 's3cret-Pa55 of/all@nodes';
const authority = new Authority('an authority');
const stranger = new Authority('another authority');
// A certificate as those have it who were never told by which IP they are reached.
const own = authority.issue({ name: 'node', hosts: ['localhost'] });
const files = temporaryFiles({ ca: authority.cert, cert: own.cert, key: own.key });
afterAll(() => files.remove());

/** What the nodes tell of each other. Where a machine has no IPv6, test/cluster/hostile-topology.test.ts has it alone. */
const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
const HOST = addresses.some(({ address }) => address === '::1') ? '::1' : '127.0.0.1';
const named = (port: number | undefined): string => (HOST === '::1' ? `[::1]:${port}` : `${HOST}:${port}`);

const cluster = useCluster([], {
  host: HOST,
  password: PASSWORD,
  tls: [
    ...['--tls-auth-clients', 'no', '--tls-ca-cert-file', files.path('ca')],
    ...['--tls-cert-file', files.path('cert'), '--tls-key-file', files.path('key')],
  ],
});

/** A pool that gives the right password, and would wait for long. */
function pool(options: Partial<ClusterPoolOptions> = {}): ClusterPool {
  return cluster.pool({ acquireTimeoutMs: 50_000, redis: { password: PASSWORD }, ...options });
}

/** Keys of all masters. */
const KEYS = Array.from({ length: 30 }, (_, i) => `key:${i}`);

/** Writes and reads at all masters, over both doors. */
async function works(working: ClusterPool): Promise<void> {
  await Promise.all(KEYS.map((key) => working.redis.set(key, key)));
  expect(await working.redis.mget(KEYS)).toEqual(KEYS);
  for (const key of KEYS.slice(0, 6)) expect(await working.use((lease) => lease.get(key), { key })).toBe(key);
}

/** What a caller hears on each of the doors, none of which may wait. */
async function refusals(refused: ClusterPool): Promise<Error[]> {
  const doors = [
    refused.ready(),
    refused.redis.get('k'),
    refused.redis.mget(KEYS),
    refused.redis.multi().set('k', '1').exec(),
    refused.use((lease) => lease.get('k'), { key: 'k' }),
  ];
  const { error, ok } = await refused.health();
  expect(ok).toBe(false);
  return [...((await Promise.all(doors.map(errorOf))) as Error[]), new Error(error)];
}

let moves = 0;

/** A key whose slot has gone to the third master since `knowing` learned where it was. */
async function moved(knowing: ClusterPool): Promise<string> {
  await knowing.ready();
  const to = cluster.nodes[2] as ClusterNode;
  for (;;) {
    const key = `moved:${moves++}`;
    const from = await cluster.ownerOf(key);
    if (from === to) continue;
    await cluster.moveSlot(Number(await from.observer.cluster('KEYSLOT', key)), from, to);
    return key;
  }
}

/** MOVED is followed, over both doors. */
async function follows(knowing: ClusterPool): Promise<void> {
  const key = await moved(knowing);
  expect(await knowing.redis.set(key, '1')).toBe('OK');
  const other = await moved(knowing);
  expect(await knowing.use((lease) => lease.incr(other), { key: other })).toBe(1);
  expect(await cluster.nodes[2]?.observer.get(key)).toBe('1');
}

/** The ports that the connections of `name` have come to, at all nodes. */
async function portsOf(name: string): Promise<number[]> {
  const all = await Promise.all(cluster.nodes.map((node) => node.clients()));
  const own = all.flat().filter((client) => client['name'] === name);
  return [...new Set(own.map(({ laddr }) => Number(laddr?.split(':').at(-1))))].sort();
}

const ports = (nodes: readonly ClusterNode[]): number[] => nodes.map(({ tlsPort }) => tlsPort ?? 0).sort();

const secureUrls = (host: string, password = PASSWORD): string[] =>
  cluster.nodes.map(({ tlsPort }) => `rediss://:${encodeURIComponent(password)}@${host}:${tlsPort}`);
const tls = { ca: authority.cert };

test('with TLS all goes over it, and certificates are checked against the name among `nodes` though IPs are told', async () => {
  const secure = pool({ nodes: secureUrls('localhost'), redis: { tls }, name: 'secure' });
  await works(secure);
  const masters = await cluster.masters();
  expect(await portsOf('secure')).toEqual(ports(masters));
  expect(Object.keys(secure.stats().nodes).sort()).toEqual(
    masters.map(({ tlsPort }) => named(tlsPort)).sort(),
  );
  expect(await secure.health()).toMatchObject({ ok: true });
  await follows(secure);
});

test('replicas are reached over TLS too', async () => {
  const reading = pool({ nodes: secureUrls('localhost'), redis: { tls }, replicas: 'only', name: 'reading' });
  await works(pool());
  await until('replicas have it', async () => (await reading.redis.mget(KEYS)).every((one) => one !== null));
  const masters = await cluster.masters();
  const replicas = cluster.nodes.filter((node) => !masters.includes(node));
  expect(await portsOf('reading')).toEqual(expect.arrayContaining(ports(replicas)));
});

test('without a name to check against, an IP that the certificate has not is refused at once; servername is one', async () => {
  const at = secureUrls(HOST === '::1' ? '[::1]' : HOST);
  for (const error of await refusals(pool({ nodes: at, redis: { tls } }))) {
    expect(inspect(error)).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate/);
  }
  await works(pool({ nodes: at, redis: { tls: { ...tls, servername: 'localhost' } } }));
});

test('a TLS profile of ioredis stays one beside the name to check against', () => {
  for (const tls of ['RedisCloudFixed', { profile: 'RedisCloudFixed' }] as never[]) {
    const { of } = resolveClusterOptions({ nodes: ['redis://name:1'], redis: { tls } });
    expect(of({ host: '10.0.0.1', port: 1 }).redis).toMatchObject({
      tls: { servername: 'name', profile: 'RedisCloudFixed' },
    });
  }
});

test("a stranger's certificate is told at once, and plain text to a port for TLS is no riddle", async () => {
  const strange = pool({ nodes: secureUrls('localhost'), redis: { tls: { ca: stranger.cert } } });
  for (const error of await refusals(strange)) {
    expect(inspect(error)).toMatch(
      /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT|unable to verify|self.signed/,
    );
  }
  const plain = pool({ nodes: cluster.nodes.map(({ tlsPort }) => `redis://localhost:${tlsPort}`) });
  await expect(plain.redis.get('k')).rejects.toThrow(/ECONNRESET|EPIPE|closed the connection/);
});

test('a password is taken from the URL of one node, from options, and of an ACL user from both', async () => {
  for (const { observer } of cluster.nodes)
    await observer.call('ACL', 'SETUSER', 'app', 'on', `>${PASSWORD}`, '~*', '&*', '+@all');
  const [first, ...others] = cluster.nodes as [ClusterNode, ...ClusterNode[]];
  const rest = others.map(({ port }) => ({ host: '127.0.0.1', port }));
  const secret = encodeURIComponent(PASSWORD);
  const ways: Partial<ClusterPoolOptions>[] = [
    { nodes: [`redis://:${secret}@127.0.0.1:${first.port}`, ...rest], redis: {} },
    { nodes: [...rest, `redis://app:${secret}@127.0.0.1:${first.port}`], redis: {} },
    { nodes: rest, redis: { password: PASSWORD } },
    { nodes: rest, redis: { username: 'app', password: PASSWORD } },
    { nodes: cluster.urls, redis: { username: 'app', password: PASSWORD } },
  ];
  for (const [i, way] of ways.entries()) {
    const one = pool({ ...way, name: `way${i}` });
    await works(one);
    const [client] = await (await cluster.ownerOf('key:1'))
      .clients()
      .then((all) => all.filter(({ name }) => name === `way${i}`));
    expect(client?.['user']).toBe(JSON.stringify(way).includes('app') ? 'app' : 'default');
    await one.close();
  }
});

test('a user who may not do more than it takes is served, and one who may not ask for nodes hears so', async () => {
  const acl = (...rules: string[]) =>
    Promise.all(
      cluster.nodes.map(({ observer }) =>
        observer.call('ACL', 'SETUSER', 'little', 'on', '>pw', '~*', ...rules),
      ),
    );
  await acl('+@read', '+@write', '+info', '+ping', '+readonly', '+cluster|slots');
  const redis = { username: 'little', password: 'pw' };
  const little = pool({ redis, replicas: 'prefer' });
  await Promise.all(KEYS.map((key) => little.redis.set(key, key)));
  await little.use((lease) => lease.get('key:1'), { key: 'key:1' });
  expect(await little.health()).toMatchObject({ ok: true });
  await acl('-cluster');
  for (const error of await refusals(pool({ redis })))
    expect(inspect(error)).toMatch(/NOPERM.*cluster\|slots/);
});

/** All that can be seen of a pool that is refused, as text and as it is. */
async function seenOf(options: Partial<ClusterPoolOptions>): Promise<unknown[]> {
  const seen: unknown[] = [];
  const note = (what: unknown): void => void seen.push(what);
  process.on('warning', note);
  const refused = pool({ name: 'refused', ...options });
  for (const event of EVENT_NAMES) refused.on(event, note);
  refused.redis.on('error', note);
  const errors = await refusals(refused);
  seen.push(
    ...errors,
    refused.stats(),
    await refused.health(),
    inspect(refused, { depth: 12, showHidden: true }),
  );
  seen.push(refused.redis);
  process.off('warning', note);
  expect(refused.stats().connectFailed).toBeLessThan(20);
  await refused.close();
  seen.push(await errorOf(refused.redis.get('k')), await errorOf(refused.acquire({ key: 'k' })));
  return seen;
}

test('a wrong password, or none, is told at once with what Redis says, and shown to nobody', async () => {
  const wrong = 'wr0ng pass/w@rd';
  const urls = cluster.nodes.map(
    ({ port }) => `redis://someone:${encodeURIComponent(wrong)}@127.0.0.1:${port}`,
  );
  for (const [options, cause] of [
    [{ redis: { password: wrong } }, 'WRONGPASS'],
    [{ redis: { username: 'someone', password: wrong } }, 'WRONGPASS'],
    [{ nodes: urls, redis: {} }, 'WRONGPASS'],
    [{ redis: {} }, 'NOAUTH'],
  ] as const) {
    const seen = await seenOf(options);
    const errors = seen.filter((one) => one instanceof Error);
    expect(errors.length).toBeGreaterThan(6);
    for (const error of errors.slice(0, 6)) expect(inspect(error)).toContain(cause);
    expectNoSecret(seen, wrong);
    expectNoSecret(seen, 'someone');
  }
});

test('a pool that works shows no password either, nor does a wrong option', async () => {
  const seen: unknown[] = [];
  const working = pool({ nodes: secureUrls('localhost'), redis: { tls } });
  for (const event of EVENT_NAMES) working.on(event, (payload) => seen.push(payload));
  await works(working);
  working.clear();
  seen.push(await working.health(), inspect(working, { depth: 12, showHidden: true }), working.redis);
  await working.close();
  const url = `redis://:${encodeURIComponent(PASSWORD)}@h:1`;
  for (const options of [
    { nodes: [`http://:${encodeURIComponent(PASSWORD)}@h`] },
    { nodes: [`redis://:${encodeURIComponent(PASSWORD)}@h:99999`] },
    { nodes: [`${url}/7`] },
    { nodes: [url, `redis://:other@h:2`] },
    { nodes: url },
    { nodes: [{ host: 'h', port: 1, password: PASSWORD }] },
    { nodes: [{ url }] },
    { nodes: [[url]] },
    { nodes: [url], redis: url },
    { nodes: [url], redis: { sentinels: [{ host: 'h', password: PASSWORD }] } },
    { nodes: [url], natMap: { 'h:1': url } },
    { nodes: [url], replicas: PASSWORD },
    { nodes: [url], [PASSWORD]: 1 },
    { redis: url },
    url,
    [url],
  ]) {
    try {
      cluster.pool(options as never);
      expect.fail(`was taken: ${JSON.stringify(options)}`);
    } catch (error) {
      expect(error).toMatchObject({ code: 'POOL_INVALID_OPTION' });
      if (!Object.hasOwn(Object(options), PASSWORD)) seen.push(error);
    }
  }
  expectNoSecret(seen, PASSWORD);
});

test('a password that is changed is told to whoever has to dial, at once, and nobody else', async () => {
  const acl = (...rules: string[]) =>
    Promise.all(cluster.nodes.map(({ observer }) => observer.call('ACL', 'SETUSER', 'changing', ...rules)));
  await acl('on', '>before', '~*', '&*', '+@all');
  const changing = pool({ redis: { username: 'changing', password: 'before' }, maxActive: 1 });
  await works(changing);
  await acl('resetpass', '>after');
  await works(changing);
  changing.clear();
  await expect(changing.redis.get('k')).rejects.toMatchObject({
    code: 'POOL_CONNECT_FAILED',
    cause: { message: expect.stringContaining('WRONGPASS') },
  });
  await acl('>before');
  await until('it is let in again', () =>
    works(changing).then(
      () => true,
      () => false,
    ),
  );
});

test('one node that refuses the password is named, and the others serve', async () => {
  const [strict, ...others] = (await cluster.masters()) as [ClusterNode, ...ClusterNode[]];
  for (const { observer } of others)
    await observer.call('ACL', 'SETUSER', 'known', 'on', '>pw', '~*', '&*', '+@all');
  const some = pool({ nodes: others.map(({ url }) => url), redis: { username: 'known', password: 'pw' } });
  const served = await Promise.allSettled(KEYS.map((key) => some.redis.set(key, key)));
  for (const [i, { status, ...rest }] of served.entries()) {
    const owner = await cluster.ownerOf(KEYS[i] as string);
    expect(status).toBe(owner === strict ? 'rejected' : 'fulfilled');
    if (owner === strict) expect(inspect(rest)).toMatch(/WRONGPASS/);
  }
  expect(await some.health()).toMatchObject({
    ok: false,
    error: expect.stringContaining(`${named(strict.port)}: cannot connect: WRONGPASS`),
  });
});

test('seeds may be written in every way that an address is written', async () => {
  const { port } = (await cluster.masters())[1] as ClusterNode;
  const six =
    HOST === '::1' ? [[`redis://[::1]:${port}`], [{ host: '::1', port }], [{ host: '[::1]', port }]] : [];
  for (const nodes of [
    ...six,
    [{ host: 'localhost', port }],
    [`localhost:${port}`],
    [{ host: 'LOCALHOST', port }],
  ]) {
    const one = pool({ nodes });
    await works(one);
    expect(Object.keys(one.stats().nodes).sort()).toEqual(
      (await cluster.masters()).map((node) => named(node.port)).sort(),
    );
    await one.close();
  }
});

test('events, errors, numbers and metrics name a node as host:port, with an IPv6 address in brackets', async () => {
  const seen = new Set<string | undefined>();
  const one = pool({ name: 'labels', maxActive: 1 });
  one.on('connect', ({ node }) => seen.add(node));
  const register = new Registry();
  collectPool(one, { register });
  await one.ready();
  const names = (await cluster.masters()).map(({ port }) => named(port));
  expect([...seen].filter((name) => name && names.includes(name)).sort()).toEqual([...names].sort());
  const text = await register.metrics();
  for (const name of names) expect(text).toContain(`{pool="labels",node="${name}",state="idle"} 1`);
  const told = new Set<unknown>();
  const readNow: Meter['addBatchObservableCallback'] = (read) =>
    read({ observe: (_: Observable, __: number, at: Attributes = {}) => told.add(at['server.address']) });
  const instrument = { record() {} };
  const kinds = ['createHistogram', 'createObservableCounter', 'createObservableUpDownCounter'];
  const meter = Object.fromEntries(kinds.map((kind) => [kind, () => instrument]));
  const getMeter = () => ({
    ...meter,
    addBatchObservableCallback: readNow,
    removeBatchObservableCallback() {},
  });
  instrumentPool(one, { meterProvider: { getMeter } as never });
  expect(told).toEqual(new Set([undefined, HOST]));
  const lease = await one.acquire({ key: 'k' });
  const owner = named((await cluster.ownerOf('k')).port);
  await expect(one.acquire({ key: 'k', timeoutMs: 1 })).rejects.toThrow(`[labels ${owner}]`);
  lease.release();
});

/** Sets `config` at all nodes, and waits until what they tell of each other is as `told` says. */
async function configure(config: Record<string, string>, told: (hosts: unknown[]) => boolean): Promise<void> {
  for (const { observer } of cluster.nodes)
    for (const [name, value] of Object.entries(config)) await observer.config('SET', name, value);
  await until('all tell it', async () => {
    const all = await Promise.all(cluster.nodes.map((node) => node.observer.cluster('SLOTS')));
    return told(
      all
        .flatMap((ranges) => (ranges as unknown[][]).flatMap((range) => range.slice(2)))
        .map((node) => (node as unknown[])[0]),
    );
  });
}

const PREFERRED = 'cluster-preferred-endpoint-type';
const ANNOUNCED = 'cluster-announce-hostname';
const here = ({ port }: ClusterNode): string => `127.0.0.1:${port}`;

/** Works, and follows MOVED, at nodes by the names that `name` makes. */
async function reaches(
  name: (node: ClusterNode) => string,
  options: Partial<ClusterPoolOptions> = {},
): Promise<void> {
  const one = pool(options);
  await works(one);
  const masters = await cluster.masters();
  expect(Object.keys(one.stats().nodes).sort()).toEqual(masters.map(name).sort());
  await follows(one);
  expect(Object.keys(one.stats().nodes).sort()).toEqual(masters.map(name).sort());
  await one.close();
}

test('nodes are reached by the endpoint that they prefer to tell: their name, their IP, or none', async () => {
  await configure({ [ANNOUNCED]: '', [PREFERRED]: 'hostname' }, (hosts) =>
    hosts.every((host) => host === '?'),
  );
  await reaches((node) => named(node.port)); // there is no name, and the IP is told besides
  await reaches((node) => named(node.port), { redis: { password: PASSWORD, protocol: 3 } as ClientOptions });
  await configure({ [ANNOUNCED]: 'localhost' }, (hosts) => hosts.every((host) => host === 'localhost'));
  await reaches((node) => `localhost:${node.port}`);
  await reaches((node) => `localhost:${node.tlsPort}`, { nodes: secureUrls('localhost'), redis: { tls } });
  await configure({ [PREFERRED]: 'unknown-endpoint' }, (hosts) => hosts.every((host) => host === null));
  await reaches(here);
  await configure({ [PREFERRED]: 'ip' }, (hosts) => hosts.every((host) => host === HOST));
  await reaches((node) => named(node.port));
  await configure({ [ANNOUNCED]: '' }, () => true);
});

test('a NAT map leads to where nodes are reached, as an object and as a function', async () => {
  const ways = new Map<number, Middle>();
  for (const { port } of cluster.nodes) ways.set(port, await Middle.to(port));
  const outside = (port: number) => ({ host: '127.0.0.1', port: (ways.get(port) as Middle).port });
  const seed = { host: '127.0.0.1', port: outside((cluster.nodes[0] as ClusterNode).port).port };
  const object = (name: (port: number) => string) =>
    Object.fromEntries(cluster.nodes.map(({ port }) => [name(port), outside(port)]));
  const maps: NatMap[] = [
    object(named),
    object((port) => `${HOST}:${port}`), // as ioredis writes it
    (address) => outside(Number(address.split(':').at(-1))),
  ];
  for (const natMap of maps) {
    await reaches(({ port }) => `127.0.0.1:${outside(port).port}`, { nodes: [seed], natMap });
  }
});

test('a NAT map that throws, or gives what is no address, is what the caller hears, and nothing else breaks', async () => {
  for (const [natMap, cause] of [
    [
      () => {
        throw new Error('no such place');
      },
      /no such place/,
    ],
    [
      () => {
        throw `nowhere: ${PASSWORD}`;
      },
      /nowhere: \*\*\*/,
    ],
    [() => 'x', /natMap/],
    [() => ({ host: '127.0.0.1' }), /natMap/],
    [() => ({ host: '', port: 1 }), /natMap/],
    [() => ({ host: 7, port: 7000 }), /natMap/],
    [() => ({ host: '127.0.0.1', port: 70_000 }), /natMap/],
    [async () => ({ host: '127.0.0.1', port: 7000 }), /natMap/],
  ] as const) {
    const heard = await unheard(async () => {
      const one = pool({ natMap: natMap as never });
      const errors = await refusals(one);
      expectNoSecret(errors, PASSWORD);
      for (const error of errors.slice(0, 5)) {
        expect(error).toMatchObject({ code: 'POOL_CONNECT_FAILED' });
        expect(inspect(error)).toMatch(cause);
      }
      await one.close();
    });
    expect(heard).toEqual([]);
  }
});

test('a NAT map that begins to throw later costs no connection and ends nothing', async () => {
  let broken = false;
  const natMap = (): null => {
    if (broken) throw new Error('no such place');
    return null;
  };
  const one = pool({ natMap, acquireTimeoutMs: 300 });
  await works(one);
  const [key, other] = [await moved(one), await moved(one)] as const;
  broken = true;
  const heard = await unheard(async () => {
    await Promise.allSettled([one.redis.set(key, '1'), one.use((lease) => lease.get(other), { key: other })]);
    expect(await one.redis.get('key:1')).toBe('key:1');
  });
  expect(heard).toEqual([]);
  broken = false;
  await until('it works again', () =>
    one.redis.set(key, '1').then(
      () => true,
      () => false,
    ),
  );
  expect(one.stats().closed.broken).toBe(0);
});
