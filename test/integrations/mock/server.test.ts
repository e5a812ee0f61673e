import { expect, test } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { times } from '../../helpers/outcomes.ts';
import { useServer } from '../../helpers/redis.ts';
import { compare } from './compare.ts';

const server = useServer();

const TOPICS: Readonly<Record<string, string>> = {
  HyperLogLogs: `
    PFADD h a b c | PFADD h a | PFADD h | PFADD empty | PFADD empty | PFCOUNT h | PFCOUNT none | PFCOUNT h none | PFADD g c d e
    PFCOUNT h g | PFMERGE d h g | PFCOUNT d | PFMERGE d | PFMERGE new | EXISTS new | TYPE h | SET s v | PFADD s a | PFCOUNT s | PFMERGE d s
    LPUSH l x | PFADD l a | PFCOUNT l | PFADD | PFCOUNT | EXPIRE h 100 | PFADD h z | TTL h
    ${times(40, (i) => `PFADD many ${times(50, (j) => `user:${i * 50 + j}`).join(' ')} | PFCOUNT many`).join(' | ')}`,
  geography: `
    GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania | GEOADD geo NX 1 1 Palermo | GEOADD geo XX CH 13.5 38 Palermo
    GEOADD geo 2.3522 48.8566 Paris -0.1276 51.5072 London 139.6917 35.6895 Tokyo -70.6693 -33.4489 Santiago
    GEOADD geo 200 1 x | GEOADD geo 1 1 | GEOADD geo x 1 m | GEOADD geo NX XX 1 1 m | GEOPOS geo Palermo none Tokyo Santiago | GEOPOS none a
    GEODIST geo Palermo Catania | GEODIST geo Palermo Catania km | GEODIST geo Palermo Catania mi | GEODIST geo Tokyo Santiago ft
    GEODIST geo Palermo none | GEODIST geo Palermo Catania x | GEODIST geo Palermo Palermo | GEOHASH geo Palermo Catania none London Santiago
    GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 200 km ASC | GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 200 km DESC WITHDIST
    GEOSEARCH geo FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST WITHHASH | GEOSEARCH geo FROMMEMBER Palermo BYRADIUS 10 km
    GEOSEARCH geo FROMMEMBER none BYRADIUS 10 km | GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 200 km ASC COUNT 1
    GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 20000 km COUNT 3 | GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 30000 km ASC WITHDIST
    GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 200 km ASC COUNT 0 | GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 200 x | GEOSEARCH geo FROMLONLAT 15 37
    GEOSEARCH geo BYRADIUS 1 km | GEOSEARCH none FROMLONLAT 15 37 BYRADIUS 200 km | GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS -1 km
    GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS x km | GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 200 km FOO
    GEOSEARCH geo FROMLONLAT 15 37 BYBOX 1 x km | GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST
    GEOSEARCHSTORE d2 geo FROMLONLAT 15 37 BYRADIUS 200 km
    ZRANGE d2 0 -1 WITHSCORES | GEOSEARCHSTORE d3 geo FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST | ZCARD d3
    GEOSEARCHSTORE d2 geo FROMLONLAT 100 80 BYRADIUS 1 km | EXISTS d2 | GEORADIUS geo 15 37 200 km WITHDIST ASC
    GEORADIUS geo 15 37 200 km STORE d4 | ZRANGE d4 0 -1 | GEORADIUSBYMEMBER geo Palermo 200 km ASC | GEORADIUSBYMEMBER geo none 200 km
    GEORADIUS_RO geo 15 37 200 km DESC | ZRANGE geo 0 -1 WITHSCORES | SET s v | GEOADD s 1 1 a | GEOPOS s a | GEOSEARCH s FROMLONLAT 1 1 BYRADIUS 1 m`,
  'the server': `
    CONFIG GET maxmemory | CONFIG GET nosuch | CONFIG GET databases | CONFIG GET MAXMEMORY-POLICY | CONFIG GET | PUBSUB CHANNELS
    PUBSUB NUMSUB a b | PUBSUB NUMPAT | PUBSUB NUMSUB | CONFIG GET maxclients | PUBSUB | ROLE | ROLE x | TIME x | WAIT 0 0 | WAIT x`,
};

for (const [name, topic] of Object.entries(TOPICS)) {
  test(`${name}: the mock answers what Redis answers, errors included`, () => compare(server, topic));
}

test('TIME and EXPIREAT have the date of the mock, which its clock moves', async () => {
  const mock = new MockPool();
  const now = async () => Number((await mock.redis.time())[0]) * 1000;
  const begun = await now();
  expect(Math.abs(begun - Date.now())).toBeLessThan(60_000);
  await mock.redis.set('k', 'v', 'PXAT', begun + 5000);
  await mock.advance(4000);
  expect((await now()) - begun).toBe(4000);
  expect(await mock.redis.get('k')).toBe('v');
  await mock.advance(1000);
  expect(await mock.redis.get('k')).toBeNull();
});

test('CLIENT LIST has a line for each connection, and PUBSUB tells who listens', async () => {
  const mock = new MockPool();
  const lease = await mock.acquire();
  await lease.client('SETNAME', 'worker');
  await lease.subscribe('news');
  await lease.psubscribe('w*');
  expect(await mock.redis.call('PUBSUB', 'CHANNELS', 'n*')).toEqual(['news']);
  expect(await mock.redis.call('PUBSUB', 'NUMSUB', 'news', 'none')).toEqual(['news', 1, 'none', 0]);
  expect(await mock.redis.call('PUBSUB', 'NUMPAT')).toBe(1);
  const lines = String(await mock.redis.call('CLIENT', 'LIST'))
    .trim()
    .split('\n');
  expect(lines).toHaveLength(2);
  expect(lines.find((line) => line.includes('name=worker'))).toMatch(/ sub=1 psub=1 /);
  lease.destroy();
});
