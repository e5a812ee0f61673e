import { expect, test } from 'vitest';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import { useServer } from '../../helpers/redis.ts';
import { compare } from './compare.ts';

const server = useServer();

/** Commands by topic, one a line, or with `|` between them; those of a topic share their keys. */
const TOPICS: Readonly<Record<string, string>> = {
  'moving between lists': `
    RPUSH a 1 2 3 | LMOVE a b LEFT RIGHT | LMOVE a b RIGHT LEFT | LRANGE b 0 -1 | LMOVE a b UP LEFT | LMOVE none b LEFT LEFT
    RPOPLPUSH a b | EXISTS a | LRANGE b 0 -1 | RPOPLPUSH b b | LRANGE b 0 -1 | LMOVE b b left right | LRANGE b 0 -1
    SET s v | LMOVE b s LEFT LEFT | LMOVE s b LEFT LEFT | RPOPLPUSH none s | RPOPLPUSH a | LMOVE a b LEFT
    BLMOVE b c LEFT LEFT 1 | BRPOPLPUSH b c 1 | LRANGE c 0 -1 | BLMOVE b c LEFT LEFT x | BLMOVE b c LEFT LEFT -1
    BLMOVE b c X LEFT 1 | BRPOPLPUSH s c 1 | BLMOVE none c LEFT RIGHT 0.01 | MULTI | BLMOVE none c LEFT LEFT 0
    BRPOPLPUSH none c 0 | EXEC | RPUSH t 1 | EXPIRE t 100 | RPOPLPUSH c t | TTL t
    LMPOP 2 none b LEFT | LMPOP 2 none b RIGHT COUNT 5 | LMPOP 1 none LEFT | LMPOP 0 b LEFT | LMPOP x b LEFT
    LMPOP 2 b LEFT | LMPOP 1 b UP | LMPOP 1 b LEFT COUNT 0 | LMPOP 1 b LEFT COUNT x | LMPOP 1 s LEFT | RPUSH q a b c d
    LMPOP 1 q LEFT COUNT 2 | LMPOP 1 q LEFT COUNT 1 COUNT 2 | BLMPOP 1 1 q LEFT COUNT 9 | BLMPOP 0.01 1 q LEFT
    BLMPOP x 1 q LEFT | BLMPOP 1 0 q LEFT | LMPOP 1 q`,
  'places in lists': `
    RPUSH l a b c 1 2 3 c c | LPOS l c | LPOS l c RANK 2 | LPOS l c RANK -1 | LPOS l c COUNT 2 | LPOS l c COUNT 0
    LPOS l c RANK -1 COUNT 2 | LPOS l c RANK 2 COUNT 0 | LPOS l c MAXLEN 2 | LPOS l c COUNT 0 MAXLEN 7 | LPOS l z
    LPOS l z COUNT 1 | LPOS none z | LPOS none z COUNT 1 | LPOS l c RANK 0 | LPOS l c COUNT -1 | LPOS l c MAXLEN -1
    LPOS l c RANK x | LPOS l c FOO 1 | LPOS l c RANK | LPOS l | LSET l 0 z | LSET l -1 y | LRANGE l 0 -1 | LSET l 99 x
    LSET l -99 x | LSET none 0 x | LSET l x y | LINSERT l BEFORE z first | LINSERT l AFTER y last | LRANGE l 0 -1
    LINSERT l BEFORE nope x | LINSERT none AFTER a b | LINSERT l NEAR a b | SET s v | LSET s 0 x | LINSERT s AFTER a b
    LPOS s a | LSET s x y | LINSERT l AFTER b | LSET l 0`,
  bits: `
    SETBIT b 7 1 | GETBIT b 7 | GETBIT b 0 | GETBIT b 999 | GETBIT none 1 | SETBIT b 7 0 | SETBIT b 100 1 | STRLEN b
    SETBIT b x 1 | SETBIT b -1 1 | SETBIT b 1 2 | SETBIT b 1 x | SETBIT b 4294967296 1 | GETBIT b x | SETBIT b 1
    SET k foobar | BITCOUNT k | BITCOUNT k 0 0 | BITCOUNT k 1 1 | BITCOUNT k 1 1 BYTE | BITCOUNT k 5 30 BIT | BITCOUNT k -2 -1
    BITCOUNT k 0 | BITCOUNT k x 1 | BITCOUNT k 0 1 FOO | BITCOUNT none | BITCOUNT k 5 2 | BITCOUNT k -99 -98 | BITCOUNT k -1 -2
    BITCOUNT k 0 -1 BIT x | BITPOS k 1 | BITPOS k 0 | BITPOS k 1 2 | BITPOS k 1 2 3 | BITPOS k 1 7 15 BIT | BITPOS k 0 -1
    BITPOS none 1 | BITPOS none 0 | BITPOS k 2 | BITPOS k x | BITPOS k 1 99 | BITPOS k 0 99 | SETBIT one 0 1 | SETRANGE ones 0 x
    BITPOS one 0 | BITPOS k 1 0 -1 FOO | BITOP AND d k b | BITOP OR d k b | STRLEN d | BITCOUNT d | BITOP XOR d k k | BITCOUNT d
    BITOP NOT d k | BITCOUNT d | BITOP NOT d k b | BITOP FOO d k | BITOP AND d none | EXISTS d | BITOP OR d k none
    GET d | BITOP AND d k | LPUSH l x | SETBIT l 1 1 | GETBIT l 1 | BITCOUNT l | BITPOS l 1 | BITOP AND d k l | EXPIRE k 100
    SETBIT k 1 0 | TTL k`,
  'parts of strings': `
    SET k "hello world" | GETRANGE k 0 4 | GETRANGE k -5 -1 | GETRANGE k 0 -1 | GETRANGE k 5 2 | GETRANGE k -1 -5
    GETRANGE k -99 -98 | GETRANGE k 99 100 | GETRANGE k x 1 | GETRANGE none 0 1 | SUBSTR k 0 4 | SETRANGE k 6 Redis | GET k
    SETRANGE none 2 x | GET none | SETRANGE k -1 x | SETRANGE k x x | SETRANGE k 600000000 x | SETRANGE e 5 ""
    EXISTS e | EXPIRE k 50 | SETRANGE k 0 J | TTL k | LPUSH l a | SETRANGE l 0 x | GETRANGE l 0 1 | SETRANGE k 0`,
  dates: `
    SET k v EXAT 9999999999 | EXPIRETIME k | PEXPIRETIME k | SET k v PXAT 9999999999999 | PEXPIRETIME k | EXPIRETIME k
    SET k v EXAT 1 | GET k | SET k v EXAT 0 | SET k v EXAT -5 | SET k v PXAT x | SET k v EX 1 EXAT 5 | SET k v EX 9223372036854775807
    SET k v PX 9223372036854775807 | SET k v EXAT 9223372036854775807 | SET k v | EXPIRETIME k | EXPIRETIME none | PEXPIRETIME none
    EXPIREAT k 9999999999 | EXPIRETIME k | EXPIREAT k 9999999998 GT | EXPIREAT k 9999999998 LT | EXPIREAT k 5 NX | EXPIREAT k x
    PEXPIREAT k 9999999999123 XX | PEXPIRETIME k | EXPIRETIME k | EXPIREAT none 1 | EXPIREAT k 1 | EXISTS k | SET k v
    EXPIREAT k -1 | EXISTS k | SET k v | EXPIRE k 9223372036854775807 | PEXPIRE k 9223372036854775807 | EXPIRE k -9223372036854775807
    EXPIREAT k 9223372036854775807 | PEXPIREAT k 9223372036854775807 | GETEX k EXAT 9999999999 | EXPIRETIME k
    GETEX k PXAT 9999999999999 | PEXPIRETIME k | GETEX k EXAT 1 | EXISTS k | GETEX k EXAT 0 | SET k v | GETEX k EX 1 PERSIST
    GETEX k EXAT x | GETEX k FOO | EXPIREAT k | EXPIREAT k 1 FOO | SETEX k 9223372036854775807 v`,
  'names and copies': `
    SET a 1 EX 100 | RENAME a b | TTL b | RENAME none b | RENAMENX b c | RENAMENX none c | SET d 2 | RENAMENX c d | RENAMENX c c
    RENAME c c | COPY c e | TTL e | GET e | COPY c d | COPY c d REPLACE | GET d | TTL d | COPY none x | COPY c c
    COPY c c DB 1 | COPY c c DB 0 | COPY c y DB 99 | COPY c y DB x | COPY c y FOO | COPY c y DB | SELECT 1 | GET c | TTL c
    FLUSHDB | SELECT 0 | RPUSH l 1 2 | COPY l m | RPUSH m 3 | LRANGE l 0 -1 | LRANGE m 0 -1 | HSET h f v | COPY h i | HSET i f w
    HGET h f | MOVE h 1 | EXISTS h | MOVE h 1 | MOVE i 0 | MOVE i 99 | FLUSHALL | RANDOMKEY | SET only 1 | RANDOMKEY
    RENAME only | COPY a`,
  objects: `
    SET n 12 | OBJECT ENCODING n | SET s abc | OBJECT ENCODING s | SET n -9223372036854775808 | OBJECT ENCODING n
    SET n 012 | OBJECT ENCODING n | SET big aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    OBJECT ENCODING big | RPUSH l a | OBJECT ENCODING l | HSET h a 1 | OBJECT ENCODING h
    HSET h a aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | OBJECT ENCODING h | SADD i 1 2 | OBJECT ENCODING i
    SADD i x | OBJECT ENCODING i | ZADD z 1 a | OBJECT ENCODING z
    ZADD z 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | OBJECT ENCODING z | OBJECT ENCODING none
    OBJECT REFCOUNT s | OBJECT REFCOUNT none | OBJECT IDLETIME s | OBJECT IDLETIME none | OBJECT FREQ s | OBJECT | OBJECT ENCODING
    OBJECT ENCODING a b`,
  'some fields': `
    HRANDFIELD none | HRANDFIELD none 2 | HSET h a 1 | HRANDFIELD h | HRANDFIELD h 5 | HRANDFIELD h -3 | HRANDFIELD h 1 WITHVALUES
    HRANDFIELD h -2 WITHVALUES | HRANDFIELD h 0 | HRANDFIELD h x | HRANDFIELD h 1 FOO | HRANDFIELD h 1 WITHVALUES x | SET s v
    HRANDFIELD s | HRANDFIELD s 1 | HRANDFIELD | HSET h b 2 c 3 | HLEN h`,
  'sets of sets': `
    SADD a 1 2 3 4 | SADD b 3 4 5 | SUNIONSTORE d a b | SMEMBERS d | SINTERSTORE d a b | SMEMBERS d | SDIFFSTORE d a b | SMEMBERS d
    SINTERSTORE d a none | EXISTS d | SUNIONSTORE d none | SET s v | SUNIONSTORE s a | SMEMBERS s | SET s v | SUNIONSTORE d a s
    SINTERSTORE d none s | SDIFFSTORE d s a | SINTERCARD 2 a b | SINTERCARD 2 a b LIMIT 1 | SINTERCARD 2 a b LIMIT 0
    SINTERCARD 0 a | SINTERCARD x a | SINTERCARD 3 a b | SINTERCARD 2 a b LIMIT -1 | SINTERCARD 2 a b LIMIT x | SINTERCARD 1 a FOO
    SINTERCARD 1 s | SINTERCARD 2 none a | SINTERCARD 1 | SMOVE a b 1 | SMOVE a b 99 | SMOVE none b 1 | SMOVE a s 2 | SMOVE s a 2
    SMOVE a a 2 | SMOVE a a 99 | SCARD a | SCARD b | SMOVE a new 2 | SMEMBERS new | SMOVE new a 2 | EXISTS new | SRANDMEMBER none
    SRANDMEMBER none 2 | SADD one x | SRANDMEMBER one | SRANDMEMBER one 5 | SRANDMEMBER one -3 | SRANDMEMBER one x | SRANDMEMBER one 0
    SRANDMEMBER s | SRANDMEMBER one 1 2 | SPOP one 0 | SPOP one -1 | SPOP one x | SPOP one 5 | EXISTS one | SPOP none 3 | SPOP s 1
    SUNIONSTORE d | EXPIRE a 100 | SUNIONSTORE a a b | TTL a`,
  'ranges of sorted sets': `
    ZADD l 0 a 0 b 0 c 0 d 0 e | ZRANGEBYLEX l - + | ZRANGEBYLEX l [b (d | ZRANGEBYLEX l (b [d | ZRANGEBYLEX l - [c LIMIT 1 1
    ZRANGEBYLEX l b d | ZRANGEBYLEX l + - | ZRANGEBYLEX l [ + | ZRANGEBYLEX none - + | ZREVRANGEBYLEX l + - | ZREVRANGEBYLEX l [d (b
    ZREVRANGEBYLEX l [d - LIMIT 0 2 | ZRANGE l [b [d BYLEX | ZRANGE l [d [b BYLEX REV | ZRANGE l - + BYLEX LIMIT 1 2
    ZRANGE l - + BYLEX WITHSCORES | ZRANGE l - + BYLEX BYSCORE | ZRANGE l 0 -1 REV | ZRANGE l 1 2 REV WITHSCORES | ZLEXCOUNT l - +
    ZLEXCOUNT l [b (d | ZLEXCOUNT l b d | ZLEXCOUNT none - + | ZREMRANGEBYLEX l [a (c | ZRANGE l 0 -1 | ZREMRANGEBYLEX l x y
    ZREMRANGEBYLEX none - + | ZADD z 1 a 2 b 3 c 4 d | ZRANGE z 1 3 BYSCORE | ZRANGE z (1 3 BYSCORE LIMIT 0 1 | ZRANGE z 3 1 BYSCORE REV
    ZRANGE z +inf -inf BYSCORE REV LIMIT 1 2 WITHSCORES | ZRANGE z 0 1 LIMIT 0 | ZRANGE z 1 2 BYSCORE LIMIT x 1 | ZRANGE z 1 2 FOO
    ZREVRANGE z 0 1 REV | ZRANGEBYSCORE z 1 2 REV | ZREVRANGE z 0 1 LIMIT 0 1 | ZRANGEBYLEX z - + WITHSCORES
    ZRANGESTORE d z 1 2 | ZRANGE d 0 -1 WITHSCORES | ZRANGESTORE d z 3 1 BYSCORE REV LIMIT 0 2 | ZRANGE d 0 -1 | ZRANGESTORE d none 0 -1
    EXISTS d | ZRANGESTORE d z 0 -1 WITHSCORES | ZRANGESTORE d z a b | ZRANGESTORE d l [c [d BYLEX | ZRANGE d 0 -1 | SET s v
    ZRANGESTORE s z 0 0 | TYPE s | SET s v | ZRANGESTORE d s 0 1 | ZRANGEBYLEX s - + | ZLEXCOUNT s - + | ZREMRANGEBYLEX s - +
    ZRANGE s x y | ZRANGE s 0 1 | ZCOUNT s x 1 | ZREMRANGEBYRANK s x 1 | ZREMRANGEBYRANK z 0 x | ZREMRANGEBYSCORE z x 1 | ZRANGEBYLEX l -
    ZRANGESTORE d z 0 | ZRANGE z 5 1 | ZRANGE z -2 -1 | ZRANGE z -99 0`,
  'members of sorted sets': `
    ZADD z 1 a 2.5 b inf c | ZMSCORE z a none b c | ZMSCORE none a | ZMSCORE z | ZRANDMEMBER none | ZRANDMEMBER none 2 | ZADD one 1 x
    ZRANDMEMBER one | ZRANDMEMBER one 4 | ZRANDMEMBER one -3 | ZRANDMEMBER one 1 WITHSCORES | ZRANDMEMBER one -2 WITHSCORES
    ZRANDMEMBER one x | ZRANDMEMBER one 1 FOO | ZRANDMEMBER one 0 | ZRANDMEMBER one 1 WITHSCORES x | BZPOPMIN z 1 | BZPOPMAX none z 1
    BZPOPMIN z x | BZPOPMIN z -1 | BZPOPMAX none 0.01 | BZPOPMIN none | MULTI | BZPOPMIN none 0 | EXEC | ZADD m 1 a 2 b 3 c 4 d
    ZMPOP 2 none m MIN | ZMPOP 1 m MAX COUNT 2 | ZMPOP 1 none MIN | ZMPOP 0 m MIN | ZMPOP x m MIN | ZMPOP 1 m MID | ZMPOP 1 m MIN COUNT 0
    ZMPOP 2 m MIN | ZMPOP 1 m MIN COUNT 1 COUNT 1 | BZMPOP 1 1 m MIN COUNT 9 | BZMPOP 0.01 1 m MIN | EXISTS m | SET s v | ZMSCORE s a
    ZRANDMEMBER s | BZPOPMIN s 1 | ZMPOP 1 s MIN | ZPOPMIN z -1 | ZPOPMIN z x | ZPOPMIN z 1 2 | ZPOPMIN z 0 | ZADD i inf x
    ZINCRBY i -inf x | ZADD i INCR -inf x | ZADD i nan y | ZSCORE i x | ZADD f 0.125 a 1e20 b 1e21 c 123456789.5 e 3.0 f -0 g
    ZRANGE f 0 -1 WITHSCORES | ZINCRBY f 0.5 a`,
  'sorted sets of sets': `
    ZADD a 1 x 2 y 3 z | ZADD b 10 y 20 z 30 w | SADD s y q | ZUNION 2 a b | ZUNION 2 a b WITHSCORES | ZINTER 2 a b WITHSCORES | ZDIFF 2 a b WITHSCORES
    ZUNION 2 a b WEIGHTS 2 0.5 WITHSCORES | ZUNION 2 a b AGGREGATE MIN WITHSCORES | ZUNION 2 a b AGGREGATE MAX WITHSCORES
    ZINTER 2 a b WEIGHTS 2 3 AGGREGATE MAX WITHSCORES | ZUNION 2 a s WITHSCORES | ZINTER 3 a b s WITHSCORES | ZUNIONSTORE d 2 a b
    ZRANGE d 0 -1 WITHSCORES | ZINTERSTORE d 2 a b WEIGHTS 1 2 | ZRANGE d 0 -1 WITHSCORES | ZDIFFSTORE d 2 a b | ZRANGE d 0 -1 WITHSCORES
    ZINTERSTORE d 2 a none | EXISTS d | ZUNION 0 a | ZUNION x a | ZUNION 3 a b | ZUNIONSTORE d 0 a | ZINTERSTORE d -1 a | ZUNION 2 a b WEIGHTS 1
    ZUNION 2 a b WEIGHTS 1 x | ZUNION 2 a b AGGREGATE FOO | ZUNION 2 a b FOO | ZUNIONSTORE d 1 a WITHSCORES | ZDIFF 2 a b WEIGHTS 1 1
    ZDIFF 0 a | ZDIFFSTORE d 0 a | ZDIFFSTORE d 2 a b AGGREGATE SUM | ZINTERCARD 2 a b | ZINTERCARD 2 a b LIMIT 1 | ZINTERCARD 0 a
    ZINTERCARD 3 a b | ZINTERCARD 2 a b LIMIT -1 | ZINTERCARD 1 a FOO | ZADD i inf x | ZADD j -inf x | ZUNION 2 i j WITHSCORES
    ZUNION 1 i WEIGHTS 0 WITHSCORES | SET t v | ZUNION 2 a t | ZUNIONSTORE t 1 a | TYPE t | ZUNIONSTORE a 2 a a | ZRANGE a 0 -1 WITHSCORES
    ZUNIONSTORE d | ZUNION 1 | ZDIFF 1 none | EXPIRE a 50 | ZUNIONSTORE a 1 a | TTL a`,
  fractions: `
    SET f 0.5 | INCRBYFLOAT f 0.25 | SET f 0.1 | INCRBYFLOAT f 0.2 | SET f 10.5 | INCRBYFLOAT f 0.1 | SET f 3.0e3 | INCRBYFLOAT f 200
    INCRBYFLOAT f 5.0e-18 | SET f 100 | INCRBYFLOAT f 19.99 | INCRBYFLOAT f -119.99 | INCRBYFLOAT f -0.1 | INCRBYFLOAT f x | INCRBYFLOAT f inf
    INCRBYFLOAT none 1e3 | SET s x | INCRBYFLOAT s 1 | HSET h a 0.1 b x | HINCRBYFLOAT h a 0.2 | HINCRBYFLOAT h b 1 | HINCRBYFLOAT h c -5.75
    HINCRBYFLOAT h a x | HGETALL h | EXPIRE f 100 | INCRBYFLOAT f 1 | TTL f`,
};

for (const [name, topic] of Object.entries(TOPICS)) {
  test(`${name}: the mock answers what Redis answers, errors included`, () => compare(server, topic));
}

test('a score is told with the digits of Redis 7.0', async () => {
  const { redis } = new MockPool();
  await redis.zadd('z', 0.1, 'a', 1e-7, 'b', 1e20, 'c');
  expect(await redis.zmscore('z', 'a', 'b', 'c')).toEqual([
    '0.10000000000000001',
    '9.9999999999999995e-08',
    '1e+20',
  ]);
});
