import fc from 'fast-check';
import { Command } from 'ioredis';
import { expect, test } from 'vitest';
import { KNOWN_COMMAND } from '../../src/ioredis/internals.ts';
import { LeanCommand } from '../../src/ioredis/lean-command.ts';
import { useServer } from '../helpers/redis.ts';

const server = useServer();

type Encoding = 'utf8' | null;

/** The same command as we make it, and as ioredis does. */
function both(name: string, args: unknown[], replyEncoding: Encoding = 'utf8'): [LeanCommand, Command] {
  const copy = args.slice();
  return [new LeanCommand(name, args, replyEncoding), new Command(name, copy as never, { replyEncoding })];
}

const written = (command: LeanCommand | Command): Buffer =>
  Buffer.from((command as Command).toWritable({} as never) as string);

async function outcome(command: LeanCommand | Command, reply: unknown): Promise<unknown> {
  (command.resolve as (reply: unknown) => void)(reply);
  return command.promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

test('what is in flight is made by constructors: V8 may allocate what a literal makes in the old generation', async () => {
  const sent: object[] = [];
  const pool = server.pool({
    maxActive: 1,
    onConnect({ commandQueue }) {
      const { push } = commandQueue;
      commandQueue.push = (item) => {
        sent.push(item);
        return push.call(commandQueue, item);
      };
    },
  });
  const { redis } = pool;
  await redis.get('k'); // the first over a new connection is checked for wrappers
  sent.length = 0;
  await redis.get('k');
  await redis.multi().get('k').exec();
  await pool.use((lease) => lease.get('k'));
  expect(sent.length).toBeGreaterThan(4);
  expect(sent.filter((item) => Object.getPrototypeOf(item) === Object.prototype)).toEqual([]);
});

test('this ioredis is made as expected', () => {
  expect(KNOWN_COMMAND).toBe(true);
});

const CALLS: [name: string, args: () => unknown[]][] = [
  ['get', () => ['k']],
  ['set', () => ['k', 1.5, 'EX', 10]],
  ['set', () => ['ключ', null]],
  ['set', () => [undefined, true]],
  ['set', () => [Buffer.from('k'), Buffer.from([0, 255])]],
  ['set', () => ['k', Buffer.alloc(0)]],
  ['mget', () => [['a', 'b']]],
  ['del', () => ['a', ['b', 3]]],
  ['del', () => ['a', Object.assign(Array(3), { 1: 'b' })]],
  ['del', () => ['a', [undefined, 'b']]],
  ['del', () => ['a', ['b', ['c', Buffer.from('d')]]]],
  ['mset', () => [{ a: 1, b: 'x' }]],
  ['mset', () => [new Map([['a', '1']])]],
  ['hset', () => ['h', { f: 1 }]],
  ['hset', () => ['h', new Map([['f', Buffer.from('v')]])]],
  ['hset', () => ['h', 'f', 'v']],
  ['dbsize', () => []],
  ['set', () => ['k', 'é'.repeat(2000)]],
  ['sadd', () => Array.from({ length: 20 }, (_, i) => `m${i}`)],
  ['get', () => ['k'.repeat(255)]],
  ['get', () => ['ä'.repeat(128)]],
  ['set', () => ['k', 'v'.repeat(100_000)]],
  ['mget', () => Array(254).fill('k')],
  ['mget', () => [Array(255).fill('k')]],
  ['del', () => Array(256).fill('k')],
];

test.each(CALLS)('%s is written as ioredis writes it: %#', (name, args) => {
  const [ours, theirs] = both(name, args());
  expect(written(ours)).toEqual(written(theirs));
  expect(ours).toBeInstanceOf(Command);
});

test('whatever the arguments, the bytes are those of ioredis', () => {
  const argument = fc.oneof(
    ...[fc.string({ unit: 'binary' }), fc.integer(), fc.double(), fc.boolean(), fc.constant(null)],
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  const args = fc.array(fc.oneof(argument, fc.array(argument, { maxLength: 3 })), { maxLength: 5 });
  fc.assert(
    fc.property(fc.constantFrom('get', 'sadd', 'hset', 'mset'), args, (name, given) => {
      const [ours, theirs] = both(name, given);
      expect(written(ours)).toEqual(written(theirs));
      expect(ours.args).toEqual(theirs.args);
    }),
  );
});

test.each<[string, unknown]>([
  ['get', Buffer.from('välue')],
  ['get', null],
  ['incr', 5],
  ['mget', [Buffer.from('a'), null, [Buffer.from('b'), 1]]],
  ['hgetall', [Buffer.from('f'), Buffer.from('v'), Buffer.from('__proto__'), Buffer.from('x')]],
  ['zrange', [Buffer.from('a'), Buffer.from('1')]],
])('%s resolves a raw reply as ioredis does: %#', async (name, reply) => {
  for (const encoding of ['utf8', null] as const) {
    const [ours, theirs] = both(name, ['k'], encoding);
    expect(await outcome(ours, reply)).toEqual(await outcome(theirs, reply));
    expect(ours.isResolved).toBe(true);
  }
});

test('a reply with its strings as they are wanted goes through the transformers alone', async () => {
  const plain = new LeanCommand('mget', ['a'], 'utf8');
  const reply = ['x'];
  plain.answer(reply);
  expect(await plain.promise).toBe(reply);
  const hash = new LeanCommand('hgetall', ['h'], 'utf8');
  hash.answer(['f', 'v']);
  expect(await hash.promise).toEqual({ f: 'v' });
});

test('transformers that somebody has set are used, and what they throw is the rejection', async () => {
  Command.setArgumentTransformer('lolwut', (args) => ['told', ...args]);
  Command.setReplyTransformer('lolwut', (reply) => {
    if (reply === 'bad') throw new Error('no such reply');
    return [reply];
  });
  const [ours, theirs] = both('lolwut', ['x']);
  expect(written(ours)).toEqual(written(theirs));
  expect(await outcome(ours, Buffer.from('good'))).toEqual({ value: ['good'] });
  const raw = new LeanCommand('lolwut', [], 'utf8');
  expect(await outcome(raw, Buffer.from('bad'))).toEqual({ error: new Error('no such reply') });
  const read = new LeanCommand('lolwut', [], 'utf8');
  read.answer('bad');
  await expect(read.promise).rejects.toThrow('no such reply');
});

test('a reply transformer is given what ioredis gives it, no more', async () => {
  const given: number[] = [];
  Command.setReplyTransformer('getrange', (...args: unknown[]) => given.push(args.length));
  const [ours, theirs] = both('getrange', ['k', '0', '1']);
  await outcome(theirs, Buffer.from('x'));
  ours.answer('x');
  await ours.promise;
  delete (Reflect.get(Command, '_transformer') as { reply: Record<string, unknown> }).reply['getrange'];
  expect(given[0]).toBe(given[1]);
});
