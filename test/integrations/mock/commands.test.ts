import { test } from 'vitest';
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
};

for (const [name, topic] of Object.entries(TOPICS)) {
  test(`${name}: the mock answers what Redis answers, errors included`, () => compare(server, topic));
}
