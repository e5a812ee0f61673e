import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { Lease } from '../../../src/api/lease.ts';
import type { RedisPool } from '../../../src/api/redis-pool.ts';
import { MockPool } from '../../../src/integrations/mock/index.ts';
import type { TestServer } from '../../helpers/redis.ts';

/** What may wait; a topic has it wait for 10 ms. */
const BLOCKING = /^(BL|BR|BZ|XREAD)/;

/** Replies whose order Redis leaves open. */
const UNORDERED = /^(keys|smembers|sunion|sinter|sdiff|hkeys|hvals)$/i;

/** The words of a command; those with spaces are in double quotes. */
const wordsOf = (command: string): string[] =>
  [...command.matchAll(/"((?:[^"\\]|\\.)*)"|\S+/g)].map(
    ([word, quoted]) => quoted?.replace(/\\(.)/g, '$1') ?? word,
  );

async function answerOf(lease: Lease, command: string): Promise<unknown> {
  const [name = '', ...args] = wordsOf(command);
  const reply = await lease.call(name, ...args).catch((error: unknown) => String(error));
  if (name === 'SCAN' && Array.isArray(reply)) return [reply[0], (reply[1] as string[]).sort()];
  return UNORDERED.test(name) && Array.isArray(reply) ? reply.sort() : reply;
}

type Answers = [command: string, answer: unknown][];

/** What a pool answers to the commands of a topic, one after the other. `wait` lets time pass for those that block. */
function answersOf(pool: RedisPool, topic: string, wait = async (): Promise<void> => {}): Promise<Answers> {
  return pool.use(async (lease) => {
    await lease.flushall();
    await lease.script('FLUSH');
    const answers: Answers = [];
    for (const command of topic.trim().split(/\s*[|\n]\s*/)) {
      const answer = answerOf(lease, command);
      if (BLOCKING.test(command)) await wait();
      answers.push([command, await answer]);
    }
    lease.destroy();
    return answers;
  });
}

/** Without what a server says of an error beyond its code. */
function withoutWords(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(withoutWords);
  return /^ReplyError: ([A-Z]+) /.exec(String(answer))?.[1] ?? answer;
}

function differences(mock: Answers, real: Answers, view = (answer: unknown) => answer): unknown[] {
  return real.flatMap(([command, answer], i) => {
    const [Redis, Mock] = [view(answer), view(mock[i]?.[1])];
    return isDeepStrictEqual(Redis, Mock) ? [] : [{ command, Redis, Mock }];
  });
}

/** Expects of the mock what Redis answers to the commands of a topic, one a line, or with `|` between them. */
export async function compare(server: TestServer, topic: string): Promise<void> {
  const pool = new MockPool();
  const real = await answersOf(server.pool(), topic);
  const mock = await answersOf(pool, topic, () => pool.advance(20));
  expect(real.length).toBeGreaterThan(15);
  expect(differences(mock, real, withoutWords)).toEqual([]);
  // The mock speaks the words of Redis 7; others say the same in words of their own.
  const info = await server.observer.info('server');
  if (/^redis_version:7\./m.test(info) && !info.includes('valkey_version')) {
    expect(differences(mock, real)).toEqual([]);
  }
}
