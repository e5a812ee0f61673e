import { Command } from 'ioredis';
import { expect, test } from 'vitest';
import { bytesOf } from '../../src/ioredis/lean-command.ts';
import { CommandGroup } from '../../src/multiplex/command-group.ts';
import { CommandQueue } from '../../src/multiplex/command-queue.ts';

const command = (line: string): Command => {
  const [name = '', ...args] = line.split(' ');
  const made = new Command(name, args);
  made.promise.catch(() => {});
  return made;
};

function groupOf(...lines: string[]): { group: CommandGroup; said: unknown[] } {
  const group = new CommandGroup({}, false);
  return { group, said: lines.map((line) => group.add(command(line))) };
}

test('ordinary commands share, in a transaction too, which has to come to its end', () => {
  const { group, said } = groupOf('get k', 'multi', 'set k v', 'exec', 'MULTI', 'get k', 'DISCARD');
  expect(said.every((one) => one === undefined)).toBe(true);
  expect(group).toMatchObject({ needsDedicated: false, open: false, refusal: undefined });
  expect(groupOf('get k', 'call', 'multi', 'get k').group.open).toBe(true);
  // Redis refuses it for its argument, and goes on queueing.
  expect(groupOf('multi', 'get k', 'exec now').group.open).toBe(true);
  expect(groupOf('multi now', 'get k').group.open).toBe(false);
});

test('stateful commands are reported, also EXEC without MULTI', () => {
  expect(groupOf('watch k', 'get k', 'exec', 'select 1').said).toEqual([
    ...['stateful', undefined],
    ...['stateful', 'stateful'],
  ]);
  expect(groupOf('multi', 'watch k', 'exec').said).toEqual([undefined, 'stateful', undefined]);
});

test('with a command that may block, or is unknown, a group needs a dedicated connection; not in a transaction', () => {
  expect(groupOf('get k', 'blpop q 0')).toMatchObject({
    group: { needsDedicated: true },
    said: [undefined, 'blocking'],
  });
  expect(groupOf('json.get k')).toMatchObject({ group: { needsDedicated: true }, said: [undefined] });
  expect(groupOf('multi', 'blpop q 0', 'json.get k', 'exec').group.needsDedicated).toBe(false);
});

test('a refusal rejects all commands, those that come later too, and only the first one counts', async () => {
  const { group } = groupOf('get a', 'get b');
  const [first, second] = [new Error('first'), new Error('second')];
  group.refuse(first);
  group.refuse(second);
  const late = command('get c');
  group.add(late);
  for (const { promise } of group.commands) await expect(promise).rejects.toThrow('first');
  expect(group.commands).toContain(late);
});

test('a queue counts commands and bytes, in groups and single, until they are sent, rejected, or taken', async () => {
  const queue = new CommandQueue();
  const dedicated = groupOf('blpop q 0', 'get k').group;
  const { group } = groupOf('get a', 'get b', 'get c');
  queue.add(command('get 1'), 1);
  for (const one of [dedicated, group]) {
    queue.addGroup(one);
    for (const each of one.commands) queue.addedTo(one, bytesOf(each));
  }
  queue.add(command('get 22'), 2);
  expect(queue).toMatchObject({ length: 7, bytes: 9, dedicatedGroups: 0, batches: [] });
  queue.endBatch(10);
  expect(queue).toMatchObject({ length: 7, bytes: 9, dedicatedGroups: 1, batches: [{ at: 10, sent: 0 }] });
  const [batch] = queue.batches;
  if (!batch) return expect.fail('there is no batch');
  queue.take(batch, dedicated);
  queue.leave(batch, batch.units.toSpliced(1, 1));
  expect(queue).toMatchObject({
    length: 5,
    bytes: 6,
    dedicatedGroups: 0,
    batches: [{ commands: 5, bytes: 6 }],
  });
  queue.sent(batch, 2);
  expect(queue).toMatchObject({ length: 1, bytes: 2 });
  queue.add(command('get late'), 4);
  queue.endBatch(20);
  const error = new Error('too late');
  const last = batch.units.at(-1) as Command;
  queue.reject(10, error);
  await expect(last.promise).rejects.toThrow('too late');
  expect(queue).toMatchObject({ length: 1, bytes: 4, batches: [{ at: 20 }] });
  queue.putFirst([command('get again'), group], 30);
  expect(queue).toMatchObject({ length: 5, bytes: 12 });
  expect(queue.batches.map(({ at }) => at)).toEqual([30, 20]);
  for (const one of [...queue.batches]) queue.sent(one, one.units.length);
  expect(queue).toMatchObject({ length: 0, bytes: 0, batches: [] });
  queue.putFirst([], 40);
  expect(queue.batches).toEqual([]);
});

test('what was refused as it came is in no batch, and is counted no more', () => {
  const queue = new CommandQueue();
  const { group } = groupOf('get a', 'blpop q 0');
  queue.addGroup(group);
  for (const each of group.commands) queue.addedTo(group, bytesOf(each));
  group.refuse(new Error('no'));
  queue.endBatch(10);
  expect(queue).toMatchObject({ length: 0, bytes: 0, dedicatedGroups: 0, batches: [] });
});
