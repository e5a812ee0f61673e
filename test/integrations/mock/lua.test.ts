import { createRequire, Module } from 'node:module';
import { expect, onTestFinished, test, vi } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { errorOf } from '../../helpers/outcomes.ts';
import { useServer } from '../../helpers/redis.ts';
import { compare } from './compare.ts';

const server = useServer();

/** Scripts by topic, one a line; each is sent by EVAL without keys, unless it is a whole command. */
const TOPICS: Readonly<Record<string, string>> = {
  'replies of scripts': `
    return 1
    return 'text'
    return {1,2,nil,4}
    return {1.9,'x',true,false,{ok='fine'},{1,{2}}}
    return 3.99
    return -3.99
    return true
    return false
    return nil
    return {}
    return {ok='fine'}
    return {err='My Err'}
    return {double=3.5}
    return redis.status_reply('hi')
    return redis.error_reply('My Err')
    return redis.error_reply('foo')
    return redis.error_reply('-CODE x')
    return redis.error_reply({})
    return redis.error_reply('')
    return 2^31
    return 10/2
    return redis.sha1hex('')
    return redis.sha1hex()
    return redis.log(redis.LOG_NOTICE,'x')
    return redis.log('x')
    return redis.log('x', 'y')
    return redis.replicate_commands()
    return {1.5, {err='x y'}}`,
  'commands of scripts': `
    EVAL "return {KEYS[1],KEYS[2],ARGV[1],#ARGV}" 2 a b c d
    EVAL "return redis.call('SET',KEYS[1],ARGV[1])" 1 k v
    EVAL "return redis.call('get',KEYS[1])" 1 k
    return redis.call('set','s','v')['ok']
    return type(redis.call('get','none'))
    return redis.call('get','none')
    return redis.call('incrby','n',5) + 1
    return redis.call('set','n',12345678901234567890)
    return redis.call('get','n')
    return redis.call('set','n',3.0)
    return redis.call('get','n')
    return redis.call('set','n',0.1)
    return redis.call('get','n')
    return redis.call('hset','h','a',1,'b',2)
    return redis.call('hgetall','h')
    return #redis.call('hgetall','h')
    return redis.call('zadd','z','1.5','a')
    return redis.call('zscore','z','a') .. '!'
    return redis.call('zrange','z',0,-1,'withscores')
    return redis.call('exists','h') == 1
    return redis.call('incr','s')
    return redis.pcall('incr','s')
    return redis.pcall('incr','s').err
    local ok, e = pcall(redis.call, 'incr', 's') return e.err
    redis.call('set','kept','1') redis.call('incr','s')
    GET kept
    return redis.call('get')
    return redis.call()
    return redis.call('get', {})
    return redis.call('subscribe','x')
    return redis.call('blpop','x',0)
    return redis.call('multi')
    return redis.call('eval','return 1',0)
    return redis.call('select', 1)
    redis.call('select', 1) return redis.call('exists', 'kept')
    GET kept
    MULTI
    EVAL "return redis.call('incr','counter')" 0
    EVAL "return redis.call('nope" 0
    INCR counter
    EXEC
    EVAL
    EVAL "return 1" x
    EVAL "return 1" -1
    EVAL "return 1" 2 a
    EVALSHA abc
    EVALSHA abc 0
    EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
    SCRIPT LOAD "return 7"
    EVALSHA 4ca238f611c9d0ae4e9a75a5dbac22aedc1e44a5 0
    SCRIPT EXISTS 4ca238f611c9d0ae4e9a75a5dbac22aedc1e44a5 abc
    SCRIPT FLUSH x
    SCRIPT FLUSH ASYNC
    SCRIPT EXISTS
    SCRIPT LOAD
    SCRIPT KILL
    SCRIPT LOAD if`,
  'the language of scripts': `
    return tostring(1764000000*1000)
    return tostring(10/3)
    return tostring(1e15)
    return 'a' .. 1 .. 2.5
    return 60*60*24*1000 .. ''
    return 1000 * 60 * 60 * 24 * 30 / 1000
    return '10' + 5
    return #'abc' * 1000000000
    return math.floor(1764000000123 / 1000)
    return math.floor(1764000000) * 1000 .. ''
    return string.format('%d', 1764000000000)
    return string.format('%d %s %5.1f %x %%', 1.7, 'x', 2.5, 255)
    return string.format('%05d', 42)
    return tonumber('0x10') + 1
    return tonumber('abc')
    return tonumber('12.5') * 2
    return tonumber('ff', 16)
    return 7 % 3
    return -7 % 3
    return 0x10
    return 1 == 1.0
    return unpack({7,8})
    return table.getn({1,2})
    return math.pow(2,3)
    return select('#', 1, 2, 3)
    return string.gsub('aaa','a','b')
    return ('x'):rep(3)
    local s = 0 for i = 1, 10 do s = s + i end return s
    local t = {} for i = 1, 3 do t[i] = i * 2 end return t
    local t = {3,1,2} table.sort(t) return table.concat(t, ',')
    local t = {} for k, v in pairs({a=1}) do t[#t+1] = k .. '=' .. v end return t
    return loadstring('return 5')()
    return _VERSION
    return type(loadstring)
    return foo
    return type(print)
    return type(os)
    return require('x')
    foo = 1
    function foo() end
    return nil + 1
    local t = {} t.x.y = 1
    return ('x'):foo()
    error('boom')
    error({err='My Err'})
    local x = nil; x()
    return 1 + {}
    return 1 1
    return 1 -- 5 and 6
    return [[a 1 b]] .. '2' .. "3"`,
  cjson: `
    return cjson.encode({1,2,{a=1}})
    return cjson.encode({})
    return cjson.encode('a/"\\\\n')
    return cjson.encode(cjson.null)
    return cjson.encode({cjson.null, true, false})
    return cjson.encode(1/3)
    return cjson.encode(1e15)
    return cjson.encode(123456789012345)
    return cjson.encode({[1]=1,[100]=2})
    return cjson.encode({[1]=1,[3]=2})
    return cjson.encode(type)
    return cjson.encode({[1.5]=2})
    return cjson.encode({[5]='x'})
    return cjson.encode(1764000000123)
    return cjson.encode({name='x'})
    return cjson.decode('nope')
    return cjson.decode('{')
    return cjson.decode('')
    return cjson.decode('[1,2')
    return cjson.decode('[1 2]')
    return cjson.decode('[1] x')
    return cjson.decode('[1,]')
    return cjson.decode('12.5') * 2
    return #cjson.decode('[]')
    return cjson.decode('[null]')[1] == cjson.null
    return cjson.decode('[true,false,1,[2,[3]]]')
    return cjson.decode('[1764000000123]')[1] .. ''
    local t = cjson.decode('{"a":{"b":[1,2,{"c":"d"}]}}') return t.a.b[3].c
    return cjson.decode('["\\\\u00e9\\\\ud83d\\\\ude00\\\\n\\\\/"]')[1]
    return cjson.encode(cjson.decode('{"n":1.5}'))`,
  'MessagePack and bits': `
    return cmsgpack.unpack(cmsgpack.pack({1,2,'x'}))
    return #cmsgpack.pack({1,2})
    return cmsgpack.unpack(cmsgpack.pack({a={b=1.5}})).a.b == 1.5
    return redis.sha1hex(cmsgpack.pack({a=1.5}))
    return redis.sha1hex(cmsgpack.pack({1,127,128,255,256,65535,65536,4294967295,4294967296}))
    return redis.sha1hex(cmsgpack.pack({-1,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649}))
    return redis.sha1hex(cmsgpack.pack({0.1, 1/4, true, false, 'x', ('y'):rep(40), ('z'):rep(300), ('z'):rep(70000)}))
    return redis.sha1hex(cmsgpack.pack(1, 'a', {}))
    return {cmsgpack.unpack(cmsgpack.pack(1, 2))}
    return cmsgpack.unpack(cmsgpack.pack({-1,-200,-40000,1e10,-1e12, ('z'):rep(300)}))
    return bit.band(7,3)
    return bit.bor(8,1,2)
    return bit.bxor(7,2)
    return bit.lshift(1,4)
    return bit.rshift(-1,28)
    return bit.tohex(255)
    return bit.bnot(0)
    return bit.tobit(4294967295)`,
};

const toCommand = (line: string): string =>
  /^[A-Z]+( |$)/.test(line) ? line : `EVAL "${line.replace(/["\\]/g, '\\$&')}" 0`;

for (const [name, topic] of Object.entries(TOPICS)) {
  test(`${name}: the mock answers what Redis answers, errors included`, () =>
    compare(
      server,
      topic
        .trim()
        .split(/\s*\n\s*/)
        .map(toCommand)
        .join('\n'),
    ));
}

test('a defined command runs on the mock, on its clock, and in one piece', async () => {
  const mock = new MockPool();
  mock.redis.defineCommand('hit', {
    numberOfKeys: 1,
    lua: `local n = redis.call('INCR', KEYS[1])
      if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
      return { n, redis.call('PTTL', KEYS[1]) }`,
  });
  const redis = mock.redis as typeof mock.redis & { hit(key: string, ms: number): Promise<number[]> };
  expect([await redis.hit('k', 1000), await redis.hit('k', 1000)]).toEqual([
    [1, 1000],
    [2, 1000],
  ]);
  await mock.advance(400);
  expect(await redis.hit('k', 1000)).toEqual([3, 600]);
  await mock.advance(600);
  expect(await redis.hit('k', 1000)).toEqual([1, 1000]);
});

test('values of scripts are bytes, whatever they are', async () => {
  const { redis } = new MockPool();
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await redis.eval("redis.call('SET', KEYS[1], ARGV[1] .. ARGV[1])", 1, 'k', bytes);
  expect(await redis.getBuffer('k')).toEqual(Buffer.concat([bytes, bytes]));
});

test('values may be deep, and many', async () => {
  const { redis } = new MockPool();
  const deep = `${'['.repeat(100)}1${']'.repeat(100)}`;
  expect(await redis.eval('return cjson.encode(cjson.decode(ARGV[1]))', 0, deep)).toBe(deep);
  const many = 'local t = {} for i = 1, 5000 do t[i] = i end';
  expect(await redis.eval(`${many} return redis.call('RPUSH', 'l', unpack(t))`, 0)).toBe(5000);
  const packed = 'cmsgpack.unpack(cmsgpack.pack(unpack(t)))';
  expect(await redis.eval(`${many} return select('#', ${packed})`, 0)).toBe(5000);
  await expect(redis.eval('local t = {} t[1] = t return t', 0)).rejects.toThrow('reached lua stack limit');
});

test('a script wakes who waits for what it brings', async () => {
  const mock = new MockPool();
  const waiting = mock.use((lease) => lease.blpop('jobs', 5));
  await mock.advance(1);
  await mock.redis.eval("return redis.call('RPUSH', 'jobs', 'a')", 0);
  expect(await waiting).toEqual(['jobs', 'a']);
});

test('without fengari a script is refused with how to install it, and a warning says so once', async () => {
  const { redis } = new MockPool();
  const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  onTestFinished(() => warning.mockRestore());
  const loader = Module as unknown as { _load: (name: string, ...rest: unknown[]) => unknown };
  const load = loader._load;
  const spy = vi.spyOn(loader, '_load').mockImplementation((name, ...rest) => {
    if (name !== 'fengari') return load(name, ...rest);
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
  });
  onTestFinished(() => spy.mockRestore());
  const error = (await errorOf(redis.eval('return 1', 0))) as Error;
  expect(error.message).toContain('npm install --save-dev fengari');
  await errorOf(redis.eval('return 2', 0));
  await errorOf(new MockPool().redis.eval('return 3', 0));
  expect(warning.mock.calls).toEqual([
    [expect.stringContaining('npm install --save-dev fengari'), 'PoolWarning'],
  ]);
  expect(await redis.script('LOAD', 'return 1')).toMatch(/^[\da-f]{40}$/);
  expect(process.env['FENGARICONF']).toBeUndefined();
});

test('numbers are right also where somebody else has loaded fengari before', async () => {
  const require = createRequire(import.meta.url);
  for (const path of Object.keys(require.cache))
    if (/[\\/]fengari[\\/]/.test(path)) delete require.cache[path];
  const theirs = require('fengari');
  expect(theirs.luaconf.LUA_COMPAT_FLOATSTRING).toBe(false);
  expect(await new MockPool().redis.eval("return 1 .. ''", 0)).toBe('1');
  expect(require('fengari')).toBe(theirs);
});
