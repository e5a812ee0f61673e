import type { Command } from 'ioredis';
import type { Connection } from '../core/dependencies.ts';
import { outside } from '../ioredis/connection.ts';
import { type Clock, within } from '../util/clock.ts';

/** How long the reset of a released connection may take. */
const SETTLE_MS = 1000;

/** Whether a command is blocking at the server; its reply may never come. */
function hasBlockingCommand({ client }: Connection): boolean {
  for (let i = 0; i < client.commandQueue.length; i++) {
    const name = client.commandQueue.peekAt(i)?.command.name ?? '';
    if (/^(b[lrz]|wait|xread)/i.test(name)) return true;
  }
  return false;
}

/**
 * Sends the commands that undo what a borrower left on the connection, and waits for them and for every pending reply.
 * Returns whether the connection is clean afterwards.
 */
export async function resetConnection(
  connection: Connection,
  undo: readonly (readonly [string, ...number[]])[],
  clock: Clock,
): Promise<boolean> {
  if (hasBlockingCommand(connection)) return false;
  const { client } = connection;
  const undone = outside(() => undo.map(([name, ...args]) => client.call(name, ...args)));
  const last = client.commandQueue.peekBack()?.command as Command | undefined;
  const answered = Promise.resolve(last?.promise).catch(() => {});
  try {
    await within(clock, SETTLE_MS, Promise.all([answered, ...undone]));
    return connection.alive && connection.pendingReplies === 0;
  } catch {
    return false;
  }
}
