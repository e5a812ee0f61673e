import { expect, test } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { useServer } from '../../helpers/redis.ts';
import { compare } from './compare.ts';

const server = useServer();

const TOPICS: Readonly<Record<string, string>> = {
  streams: `
    XADD s 1-1 a 1 b 2
    XADD s 1-1 a 1
    XADD s 0-0 a 1
    XADD s 2-* a 1
    XADD s 2-* a 2
    XADD s 3 a 1
    XADD s 2 a 1
    XADD s x a 1
    XADD s 5-1 a
    XADD s 5-1
    XADD n NOMKSTREAM 1-1 a 1
    XADD s MAXLEN 2 10-1 a 1
    XADD s MAXLEN = 2 11-1 a 1
    XADD s MAXLEN ~ 2 12-1 a 1
    XADD s MINID 11 13-1 a 1
    XADD s MAXLEN x 14-1 a 1
    XADD s MAXLEN -1 14-1 a 1
    XADD s MAXLEN 2 LIMIT 5 14-1 a 1
    XADD s MAXLEN ~ 2 LIMIT 5 14-1 a 1
    XLEN s
    XLEN none
    XRANGE s - +
    XRANGE s (11 +
    XRANGE s 12 13 COUNT 1
    XRANGE s x y
    XRANGE s - + COUNT x
    XRANGE s - + COUNT 0
    XRANGE s - + FOO 1
    XRANGE none - +
    XREVRANGE s + -
    XREVRANGE s + - COUNT 1
    XDEL s 11-1 99-1
    XDEL s x
    XDEL none 1-1
    XTRIM s MAXLEN 1
    XTRIM s MINID 14
    XTRIM s FOO 1
    XTRIM s MAXLEN ~ 0
    XTRIM none MAXLEN 1
    XTRIM s MAXLEN 5 LIMIT 3
    XADD s 20-1 a 1
    XREAD STREAMS s 0
    XREAD COUNT 1 STREAMS s none 0 0
    XREAD STREAMS s $
    XREAD STREAMS s
    XREAD STREAMS s t 0
    XREAD COUNT x STREAMS s 0
    XREAD BLOCK x STREAMS s 0
    XREAD BLOCK -1 STREAMS s 0
    XREAD BLOCK 10 STREAMS s $
    XREAD FOO STREAMS s 0
    XREAD STREAMS s >
    XREAD STREAMS s x`,
  'groups of streams': `
    XADD s 20-1 a 1
    XGROUP CREATE s g 0
    XGROUP CREATE s g 0
    XGROUP CREATE none g $
    XGROUP CREATE mk g $ MKSTREAM
    XGROUP CREATE s g2 x
    XGROUP CREATE s g2 $ FOO
    XGROUP CREATE s
    XINFO STREAM mk
    XINFO GROUPS s
    XREADGROUP GROUP g c1 STREAMS s >
    XREADGROUP GROUP g c1 STREAMS s 0
    XREADGROUP GROUP g c1 STREAMS s >
    XREADGROUP GROUP nog c1 STREAMS s >
    XREADGROUP GROUP g c1 STREAMS none >
    XREADGROUP GROUP g c1 STREAMS s $
    XREADGROUP GROUP g c1 COUNT 1 NOACK STREAMS s >
    XREADGROUP STREAMS s >
    XREADGROUP GROUP g c1 BLOCK 10 STREAMS s >
    XPENDING s g
    XPENDING s g - + 10 nobody
    XPENDING s g IDLE 99999 - + 10
    XPENDING s g x + 10
    XPENDING s g - + x
    XPENDING s nog
    XPENDING s g - +
    XPENDING none g
    XACK s g 20-1 99-1
    XACK s nog 1-1
    XACK none g 1-1
    XACK s g x
    XPENDING s g
    XADD s 21-1 a 1
    XADD s 22-1 a 1
    XREADGROUP GROUP g c1 COUNT 1 STREAMS s >
    XREADGROUP GROUP g c2 COUNT 1 STREAMS s >
    XCLAIM s g c2 0 21-1
    XCLAIM s g c2 0 21-1 JUSTID
    XCLAIM s g c2 99999 21-1
    XCLAIM s g c2 x 21-1
    XCLAIM s g c2 0 x
    XCLAIM s g c2 0 99-1
    XCLAIM s g c3 0 99-1 FORCE
    XCLAIM s g c2 0 21-1 RETRYCOUNT 5
    XCLAIM s g c2 0 21-1 FOO
    XCLAIM s nog c2 0 21-1
    XPENDING s g - + 10 c3
    XAUTOCLAIM s g c4 0 0
    XAUTOCLAIM s g c4 0 0 COUNT 1
    XAUTOCLAIM s g c4 0 0 COUNT 1 JUSTID
    XAUTOCLAIM s g c4 x 0
    XAUTOCLAIM s g c4 0 x
    XAUTOCLAIM s g c4 0 0 COUNT 0
    XAUTOCLAIM s nog c4 0 0
    XAUTOCLAIM s g c4 99999 0
    XDEL s 21-1
    XREADGROUP GROUP g c4 STREAMS s 0
    XAUTOCLAIM s g c5 0 0
    XGROUP CREATECONSUMER s g c9
    XGROUP CREATECONSUMER s g c9
    XGROUP CREATECONSUMER s nog c9
    XINFO CONSUMERS s nog
    XINFO GROUPS none
    XINFO GROUPS s
    XINFO STREAM s
    XGROUP DELCONSUMER s g c5
    XGROUP DELCONSUMER s g nobody
    XGROUP SETID s g 0
    XGROUP SETID s nog 0
    XGROUP SETID s g $
    XGROUP DESTROY s g
    XGROUP DESTROY s g
    XGROUP DESTROY none g
    XINFO STREAM none
    XADD s MAXLEN 0 100-1 a 1
    EXISTS s
    TYPE s
    OBJECT ENCODING s
    SET str v
    XLEN str
    XREAD STREAMS str 0
    XRANGE str - +
    XGROUP CREATE str g 0
    XREADGROUP GROUP g c STREAMS str >
    XADD s 18446744073709551615-18446744073709551615 a 1
    XADD s 100 a 1
    XGROUP CREATECONSUMER s`,
};

for (const [name, topic] of Object.entries(TOPICS)) {
  test(`${name}: the mock answers what Redis answers, errors included`, () => compare(server, topic));
}

test('a new entry has the date of the mock, and idle time is that of its clock', async () => {
  const mock = new MockPool();
  const before = Date.now();
  const id = await mock.redis.xadd('s', '*', 'a', '1');
  expect(Number(String(id).split('-')[0])).toBeGreaterThanOrEqual(before - 1000);
  await mock.advance(1000);
  const later = await mock.redis.xadd('s', '*', 'a', '2');
  expect(Number.parseInt(String(later), 10) - Number.parseInt(String(id), 10)).toBe(1000);
  await mock.redis.xgroup('CREATE', 's', 'g', '0');
  await mock.redis.xreadgroup('GROUP', 'g', 'alice', 'COUNT', 1, 'STREAMS', 's', '>');
  await mock.advance(500);
  expect(await mock.redis.xpending('s', 'g', '-', '+', 10)).toEqual([[id, 'alice', 500, 1]]);
  expect(await mock.redis.xautoclaim('s', 'g', 'bob', 501, '0')).toEqual(['0-0', [], []]);
  expect(await mock.redis.xautoclaim('s', 'g', 'bob', 500, '0', 'JUSTID')).toEqual(['0-0', [id], []]);
});

test('who waits for a stream is woken by a new entry; in a group, one consumer', async () => {
  const mock = new MockPool();
  await mock.redis.xgroup('CREATE', 's', 'g', '$', 'MKSTREAM');
  const reader = mock.use((lease) => lease.xread('BLOCK', 0, 'STREAMS', 's', '$'));
  const first = mock.use((lease) => lease.xreadgroup('GROUP', 'g', 'a', 'BLOCK', 5000, 'STREAMS', 's', '>'));
  const second = mock.use((lease) => lease.xreadgroup('GROUP', 'g', 'b', 'BLOCK', 5000, 'STREAMS', 's', '>'));
  await mock.advance(1);
  await mock.redis.xadd('s', '1-1', 'f', 'v');
  const got = [['s', [['1-1', ['f', 'v']]]]];
  expect([await reader, await first]).toEqual([got, got]);
  await mock.advance(5000);
  expect(await second).toBeNull();
});

test('a stream that may be about as long as said loses whole nodes of a hundred', async () => {
  const { redis } = new MockPool();
  for (let i = 1; i <= 250; i++) await redis.xadd('s', 'MAXLEN', '~', 120, `${i}-0`, 'f', 'v');
  expect(await redis.xlen('s')).toBe(150);
});
