/** What the callers of the soak do: each sends commands of its own, and looks at every reply. */
import { isPoolError } from '../../dist/index.js';

const BINARY = Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256));
const LARGE = 'large value '.repeat(10_000);
const HASH = { a: '1', b: 'two', c: '' };

/** What nobody changes. */
export async function seed(redis) {
  redis.defineCommand('echoed', { lua: "return KEYS[1] .. ':' .. ARGV[1]", numberOfKeys: 1 });
  await redis.mset({ text: 'a text', binary: BINARY, large: LARGE });
  await redis.hset('hash', HASH);
}

/** Whether connections that were killed explain the error. */
export function isExcuse(error) {
  return isPoolError(error, 'POOL_CONNECTION_LOST') || isPoolError(error, 'POOL_CONNECT_FAILED');
}

/** Sends, and has `check` look at the replies. */
async function send(caller, count, replies) {
  caller.tally.sent += count;
  const got = await replies;
  caller.tally.replies += count;
  return got;
}

const token = (caller, i = 0) => `${caller.id}.${caller.turn}.${i}`;
const list = (count, make) => Array.from({ length: count }, (_, i) => make(i));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Many at once, each with a word of its own. */
async function echoes(caller, wrong) {
  const words = list(100, (i) => token(caller, i));
  const results = await Promise.allSettled(words.map((word) => send(caller, 1, caller.redis.echo(word))));
  for (const [i, { status, value, reason }] of results.entries()) {
    if (status === 'rejected' && !isExcuse(reason)) throw reason;
    if (status === 'rejected') caller.tally.lost++;
    else if (value !== words[i]) wrong('an ECHO got the reply of another');
  }
}

/** Read-only commands of all kinds. A kill in between is not to be noticed. */
async function reads(caller, wrong) {
  const { redis } = caller;
  const [text, bytes, many, hash, large, none] = await send(
    caller,
    6,
    Promise.all([
      redis.get('text'),
      redis.getBuffer('binary'),
      redis.mget('text', 'none', 'text'),
      redis.hgetall('hash'),
      redis.get('large'),
      redis.get('none'),
    ]),
  );
  const right = text === 'a text' && BINARY.equals(bytes) && same(many, ['a text', null, 'a text']);
  if (!right || !same(hash, HASH) || large !== LARGE || none !== null) wrong('a read got the wrong reply');
}

/** Counts: whatever is acknowledged has run once, and what is lost once at the most. */
async function counts(caller, wrong) {
  try {
    const count = await send(caller, 1, caller.redis.incr(`count:${caller.id}`));
    caller.acked++;
    if (count <= caller.last || count > caller.acked + caller.unsure) wrong('an INCR ran twice');
    caller.last = count;
  } catch (error) {
    caller.unsure++;
    throw error;
  }
}

async function pipelines(caller, wrong) {
  const words = list(20, (i) => token(caller, i));
  const pipeline = caller.redis.pipeline();
  for (const word of words) pipeline.echo(word);
  const results = await send(caller, words.length, pipeline.exec());
  for (const [i, [error, value]] of results.entries()) {
    if (error) throw error;
    if (value !== words[i]) wrong('a pipeline got the reply of another');
  }
}

async function transactions(caller, wrong) {
  const key = `multi:${caller.id}`;
  const word = token(caller);
  const results = await send(caller, 4, caller.redis.multi().set(key, word).get(key).exec());
  if (
    !same(results, [
      [null, 'OK'],
      [null, word],
    ])
  )
    wrong('a transaction got the wrong replies');
}

async function scripts(caller, wrong) {
  const words = list(5, (i) => token(caller, i));
  const replies = await send(caller, 5, Promise.all(words.map((word) => caller.redis.echoed('k', word))));
  if (
    !same(
      replies,
      words.map((word) => `k:${word}`),
    )
  )
    wrong('a script got the reply of another');
}

/** What is acknowledged is there. */
async function writes(caller, wrong) {
  const key = `write:${caller.id}`;
  const value = Buffer.concat([BINARY, Buffer.from(token(caller))]);
  const [, read] = await send(
    caller,
    2,
    Promise.all([caller.redis.set(key, value), caller.redis.getBuffer(key)]),
  );
  if (!value.equals(read)) wrong('a write was lost, or overtaken');
}

async function leases(caller, wrong) {
  if (caller.id % 10 !== 0) return;
  const word = token(caller);
  const results = await send(
    caller,
    4,
    caller.pool.use(async (redis) => {
      await redis.watch(`watch:${caller.id}`);
      return redis.multi().echo(word).exec();
    }),
  );
  if (!same(results, [[null, word]])) wrong('a lease got the wrong reply');
}

/** Waits on its own list, into which it pushes itself. */
async function blocking(caller, wrong) {
  if (caller.id % 10 !== 1 || caller.pool.stats().maxActive === 1) return;
  const key = `list:${caller.id}`;
  const word = token(caller);
  await send(caller, 1, caller.redis.del(key));
  const [popped] = await send(
    caller,
    2,
    Promise.all([caller.redis.blpop(key, 20), caller.redis.rpush(key, word)]),
  );
  if (!same(popped, [key, word])) wrong('a BLPOP got the wrong reply');
}

async function refusals(caller, wrong) {
  const error = await caller.redis.watch('k').catch((reason) => reason);
  if (!isPoolError(error, 'POOL_STATEFUL_COMMAND')) wrong('WATCH was not refused');
}

export const OPERATIONS = [
  ...[echoes, reads, counts, pipelines, echoes, transactions, scripts, counts, echoes],
  ...[writes, leases, blocking, refusals],
];
