import type { Command } from 'ioredis';
import { expect, test } from 'vitest';
import { CommandGroup } from '../../src/multiplex/command-group.ts';
import { CommandQueue } from '../../src/multiplex/command-queue.ts';

const command = { name: 'get', args: ['k'] } as unknown as Command;

/** Queues commands until a batch is due; returns how many that took, of `most`. */
function untilDue(queue: CommandQueue, most = 1000): number | undefined {
  for (let count = 1; count <= most; count++) {
    queue.add(command, 1);
    if (queue.isDue) return count;
  }
  return undefined;
}

/** Sends all that is queued. */
function send(queue: CommandQueue): void {
  for (const batch of [...queue.batches]) queue.sent(batch, batch.units.length);
}

test('so many commands do not wait for the end of the tick', () => {
  const queue = new CommandQueue();
  expect(untilDue(queue)).toBe(256);
  queue.sendEarly(() => send(queue));
  expect([queue.length, queue.sentEarly, queue.isDue]).toEqual([0, 256, false]);
  expect(untilDue(queue)).toBe(256);
  queue.endBatch(2);
  send(queue);
  expect([queue.length, queue.sentEarly]).toEqual([0, 0]);
});

test('after replies that came together, and left nothing in flight, half as many are sent, once', () => {
  const queue = new CommandQueue();
  queue.answered(301, 0);
  expect(untilDue(queue)).toBe(150);
  queue.sendEarly(() => send(queue));
  expect(untilDue(queue)).toBe(256);
  queue.endBatch(2);
  send(queue);
  queue.answered(10_000, 0);
  expect(untilDue(queue)).toBe(256);
});

test.each([
  [99, 0, 256],
  [100, 0, 50],
  [1000, 1, 256],
])('after %i replies, with %i commands in flight, a batch is due with %i', (replies, inFlight, due) => {
  const queue = new CommandQueue();
  queue.answered(replies, inFlight);
  expect(untilDue(queue)).toBe(due);
});

test('where the lanes do not take all of a batch, the next one waits for the end of the tick', () => {
  const queue = new CommandQueue();
  untilDue(queue);
  queue.sendEarly(() => {});
  expect(untilDue(queue)).toBeUndefined();
  queue.endBatch(2);
  send(queue);
  expect(untilDue(queue)).toBe(256);
});

test('a group is not sent before all its commands are there', () => {
  const queue = new CommandQueue();
  const group = new CommandGroup({}, false);
  queue.addGroup(group);
  expect(untilDue(queue)).toBeUndefined();
  group.ended = true;
  expect(queue.isDue).toBe(true);
});

test('commands that Redis has refused for now do not make each later one a batch of its own', () => {
  const queue = new CommandQueue();
  queue.hold(1000, 0);
  expect(untilDue(queue)).toBe(256);
});
