import { expect, test } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { useServer } from '../../helpers/redis.ts';
import { compare } from './compare.ts';

const server = useServer();

/** Commands by topic, one a line; those of a topic share their keys. */
const TOPICS: Readonly<Record<string, string>> = {
  strings: `
    GET k | SET k v | GET k | STRLEN k | APPEND k w | GET k | GETRANGE k 0 0 | GETRANGE k -1 -1 | GETRANGE k 5 9
    SET k x NX | SET n x NX | SET m x XX | SET k y XX | GET k | SET k z GET | SET new v GET | SETNX k a | SETNX k2 a
    GETSET k b | GETDEL k | GETDEL k | MSET a 1 b 2 | MGET a b none h | MSETNX a 1 c 2 | MSETNX c 1 d 2 | STRLEN none
    SET k v NX XX | SET k v EX | SET k v EX 0 | SET k v EX x | SET k v EX 1 PX 1 | SET k v KEEPTTL EX 1 | SET k v FOO
    GET | GET a b | MSET a | MSET a 1 b | SETEX k 0 v | SETEX k x v | PSETEX k -1 v | INCRBYFLOAT a 0.5 | GET a
    APPEND fresh v | DECR c | DECRBY c 4`,
  counters: `
    INCR n | INCRBY n 5 | DECR n | DECRBY n 3 | GET n | SET s abc | INCR s | INCRBY n x | INCRBY n 1.5
    SET big 9223372036854775807 | INCR big | DECR big | SET small -9223372036854775808 | DECR small
    SET pad 01 | INCR pad | INCRBY n 9007199254740993 | GET n | INCRBYFLOAT s 1 | SET sp +1 | INCR sp`,
  'times to live': `
    SET k v EX 100 | TTL k | SET k w KEEPTTL | TTL k | APPEND k x | TTL k | SET k y | TTL k | TTL none | PTTL none
    EXPIRE k 50 | TTL k | PERSIST k | PERSIST k | TTL k | EXPIRE k 10 XX | EXPIRE k 10 NX | EXPIRE k 20 NX
    EXPIRE k 5 GT | EXPIRE k 50 GT | EXPIRE k 60 LT | TTL k | EXPIRE none 10 | EXPIRE k x | EXPIRE k 1 NX XX
    EXPIRE k 1 GT LT | EXPIRE k 1 FOO | PEXPIRE k 200000 | TTL k | GETEX k EX 30 | TTL k | GETEX k PERSIST | TTL k
    GETEX k | GETEX none | SETEX k 70 v | TTL k | PSETEX k 80000 v | TTL k | INCR n | EXPIRE n 90 | INCR n | TTL n
    EXPIRE k 0 | GET k | SET k v | EXPIRE k -1 | EXISTS k | SET k v EX 9 | RENAME k q | TTL q | RENAME k q | TYPE q
    EXPIRE p 5 GT | SET p 1 | EXPIRE p 5 GT | EXPIRE p 5 LT | PERSIST none | GETEX q EX 0`,
  keys: `
    SET a 1 | RPUSH l x | HSET h f v | SADD s m | ZADD z 1 m | TYPE a | TYPE l | TYPE h | TYPE s | TYPE z | TYPE none
    EXISTS a l none a | DEL a none | UNLINK l s | DBSIZE | TOUCH h z none | DEL | EXISTS | FLUSHDB | DBSIZE
    SET user:1 a | SET user:2 b | SET other c | KEYS user:* | KEYS *:[2-9] | KEYS us?r:1 | KEYS user:[^1] | KEYS o*r
    SCAN 0 MATCH user:* COUNT 100 | SCAN x | SCAN 0 COUNT 0 | SCAN 0 FOO | SCAN 0 COUNT 100 TYPE list | SET a[b 1
    KEYS a\\[b | FLUSHALL | KEYS *`,
  hashes: `
    HSET h a 1 b 2 | HSET h a 3 c 4 | HGET h a | HGET h none | HGET none a | HMGET h a none b | HLEN h | HLEN none
    HEXISTS h a | HEXISTS h z | HSETNX h a 9 | HSETNX h d 5 | HDEL h a none | HGETALL h | HKEYS h | HVALS h
    HINCRBY h n 5 | HINCRBY h n -2 | HSET h w x | HINCRBY h w 1 | HINCRBYFLOAT h f 1.5 | HINCRBYFLOAT h w 1 | HSET h a
    HSET h a 1 b | HMSET m a 1 | HMSET m a | HSTRLEN h w | HSCAN h 0 | HSCAN h 0 MATCH n* | HGETALL none | HDEL m a
    EXISTS m | HINCRBY h n x`,
  lists: `
    RPUSH l a b c | LPUSH l z y | LRANGE l 0 -1 | LRANGE l 1 2 | LRANGE l -2 -1 | LRANGE l 5 9 | LRANGE l -99 99
    LLEN l | LINDEX l 0 | LINDEX l -1 | LINDEX l 9 | LPOP l | RPOP l | LPOP l 2 | LPOP l 9 | LPOP l | LPOP l 1 | EXISTS l
    RPUSHX l a | RPUSH l a b a c a | LPUSHX l a | LREM l 2 a | LRANGE l 0 -1 | LREM l -1 a | LREM l 0 b | LRANGE l 0 -1
    LTRIM l 0 0 | LRANGE l 0 -1 | LTRIM l 5 9 | EXISTS l | LPOP none -1 | LRANGE l x 1 | RPUSH l | BLPOP l x
    BLPOP l -1 | RPUSH q 1 2 | BLPOP none q 1 | BRPOP q 1 | LTRIM none 0 1 | LREM none 0 x`,
  sets: `
    SADD s a b | SADD s b c | SCARD s | SISMEMBER s a | SISMEMBER s z | SISMEMBER none a | SMISMEMBER s a z | SREM s a z
    SMEMBERS s | SADD t c d | SUNION s t | SINTER s t | SDIFF s t | SINTER s none | SDIFF s none | SCARD none
    SMEMBERS none | SREM s b c | EXISTS s | SPOP s | SADD one x | SPOP one | EXISTS one | SADD s | SSCAN t 0 MATCH c`,
  'sorted sets': `
    ZADD z 1 a 2 b 3 c | ZADD z 5 a | ZADD z NX 9 a 4 d | ZADD z XX 6 a 7 e | ZADD z CH 8 a 9 f | ZADD z GT 1 a
    ZADD z LT CH 1 a | ZADD z INCR 2 a | ZADD z NX INCR 2 a | ZSCORE z a | ZSCORE z none | ZCARD z | ZCARD none
    ZRANGE z 0 -1 | ZRANGE z 0 1 WITHSCORES | ZRANGE z 0 1 REV | ZREVRANGE z 0 0 WITHSCORES | ZRANGEBYSCORE z 2 4
    ZRANGEBYSCORE z (2 +inf | ZRANGEBYSCORE z -inf (3 WITHSCORES | ZRANGEBYSCORE z -inf +inf LIMIT 1 2
    ZRANGE z 4 2 BYSCORE REV | ZREVRANGEBYSCORE z 4 2 LIMIT 0 1 | ZRANGEBYSCORE z x 4 | ZCOUNT z 2 4 | ZCOUNT z (2 (4
    ZRANK z a | ZREVRANK z a | ZRANK z none | ZINCRBY z 1.5 b | ZINCRBY z x b | ZREM z a none | ZADD tie 1 b 1 a
    ZRANGE tie 0 -1 | ZREMRANGEBYSCORE z -inf 3 | ZRANGE z 0 -1 | ZREMRANGEBYRANK z 0 0 | ZRANGE z 0 -1 | ZPOPMIN tie
    ZPOPMAX tie | EXISTS tie | ZPOPMIN none | ZADD z 1 | ZADD z NX XX 1 a | ZADD z GT LT 1 a | ZADD z x a | ZADD z INCR 1 a 2 b
    ZRANGE z 0 1 LIMIT 0 1 | ZRANGE z a b | ZADD p 1 a 2 b 3 c | ZPOPMIN p 2 | ZSCAN p 0 | ZADD z NX GT 1 a
    ZRANGEBYSCORE p -inf +inf LIMIT 0 -1`,
  'wrong kinds': `
    SET s v | RPUSH l v | HGET s f | HSET s f v | LPUSH s v | LRANGE s 0 1 | SADD s v | ZADD s 1 v | GET l | INCR l
    APPEND l v | SET l v GET | MGET s l | SETNX l v | GETDEL l | SISMEMBER l v | ZSCORE l v | SET l v | GET l | STRLEN s`,
  transactions: `
    MULTI | SET k 1 | INCR k | GET k | EXEC | MULTI | SET k 2 | DISCARD | GET k | EXEC | DISCARD | MULTI | MULTI | DISCARD
    MULTI | SET k | INCR k | EXEC | GET k | MULTI | LPUSH k v | INCR k | EXEC | WATCH k | SET k 5 | MULTI | INCR k | EXEC
    WATCH k | MULTI | INCR k | EXEC | WATCH k | SET k 6 | UNWATCH | MULTI | INCR k | EXEC | MULTI | WATCH k | DISCARD
    WATCH none | DEL none | MULTI | GET k | EXEC | WATCH | MULTI | BLPOP none 0 | HGETALL none | SMEMBERS none | EXEC`,
  connections: `
    PING | PING hello | ECHO x | SELECT 1 | SET k db1 | SELECT 0 | GET k | SELECT 99 | SELECT x | CLIENT SETNAME me
    CLIENT GETNAME | SCRIPT EXISTS ffffffffffffffffffffffffffffffffffffffff | EVALSHA abc 0 | SCRIPT FLUSH
    SCRIPT LOAD x=1 | PUBLISH nobody hi | ECHO | PING a b`.replace('SCRIPT LOAD return', 'SCRIPT LOAD x=1'),
};

for (const [name, topic] of Object.entries(TOPICS)) {
  test(`${name}: the mock answers what Redis answers, errors included`, () => compare(server, topic));
}

test('values are bytes, whatever they are', async () => {
  const { redis } = new MockPool();
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await redis.set('bytes', bytes);
  expect(await redis.getBuffer('bytes')).toEqual(bytes);
  await redis.set('snowman ☃', '☃\r\n');
  expect(await redis.get('snowman ☃')).toBe('☃\r\n');
  expect(await redis.strlen('snowman ☃')).toBe(5);
  expect(await redis.keys('snowman ☃')).toEqual(['snowman ☃']);
});

test('a value lives exactly as long as it was given, on the clock of the mock', async () => {
  const mock = new MockPool();
  await mock.redis.set('k', 'v', 'PX', 1500);
  await mock.advance(1499);
  expect([await mock.redis.get('k'), await mock.redis.pttl('k'), await mock.redis.ttl('k')]).toEqual([
    'v',
    1,
    0,
  ]);
  await mock.advance(1);
  expect([await mock.redis.get('k'), await mock.redis.dbsize()]).toEqual([null, 0]);
});

test('a watched key that expires makes EXEC fail', async () => {
  const mock = new MockPool();
  await mock.redis.set('k', 'v', 'PX', 100);
  await mock.use(async (lease) => {
    await lease.watch('k');
    await mock.advance(100);
    expect(await lease.multi().set('k', 'w').exec()).toBeNull();
  });
});

test('SCAN finds every key that is there throughout, though others come and go meanwhile', async () => {
  const { redis } = new MockPool();
  const kept = Array.from({ length: 30 }, (_, i) => `kept:${i}`);
  for (const key of kept) await redis.mset(key, '1', `gone:${key}`, '1');
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'COUNT', 7);
    for (const key of keys) found.add(key);
    await redis.del([...keys].filter((key) => key.startsWith('gone:')).concat('none'));
    await redis.set(`new:${next}`, '1');
    cursor = next;
  } while (cursor !== '0' && found.size < 1000);
  expect([...found].filter((key) => key.startsWith('kept:')).sort()).toEqual(kept.sort());
});

test('every db has separate keys, and the pool its selected db', async () => {
  const mock = new MockPool({ redis: { db: 3 } });
  await mock.redis.set('k', 'v');
  await mock.use(async (lease) => {
    await lease.select(0);
    expect(await lease.get('k')).toBeNull();
  });
  expect(await mock.redis.get('k')).toBe('v');
});

test('what blocks waits for what comes, first come, first served, and no longer than it said', async () => {
  const mock = new MockPool();
  const first = mock.use((lease) => lease.blpop('jobs', 5));
  const second = mock.use((lease) => lease.brpop('other', 'jobs', 5));
  await mock.advance(1);
  await mock.redis.rpush('jobs', 'a');
  expect(await first).toEqual(['jobs', 'a']);
  await mock.redis.rpush('jobs', 'b', 'c');
  expect(await second).toEqual(['jobs', 'c']);
  await mock.redis.del('jobs');
  const third = mock.use((lease) => lease.blpop('jobs', 0.5));
  await mock.advance(499);
  expect(mock.stats().inUse).toBe(1);
  await mock.advance(1);
  expect(await third).toBeNull();
});

test('messages are sent to subscribers, by name or by pattern', async () => {
  const mock = new MockPool();
  const lease = await mock.acquire();
  const heard: unknown[] = [];
  lease.on('message', (...message) => heard.push(message));
  lease.on('pmessage', (...message) => heard.push(message));
  expect(await lease.subscribe('news', 'weather')).toBe(2);
  expect(await lease.psubscribe('n*')).toBe(3);
  expect(await mock.redis.publish('news', 'hello')).toBe(2);
  expect(await lease.unsubscribe('news')).toBe(2);
  expect(await mock.redis.publish('news', 'again')).toBe(1);
  expect(await mock.redis.publish('sport', 'none')).toBe(0);
  await mock.advance(0);
  expect(heard).toEqual([
    ['news', 'hello'],
    ['n*', 'news', 'hello'],
    ['n*', 'news', 'again'],
  ]);
});
