import { Command } from 'ioredis';
import { rejectSafely } from '../ioredis/internals.ts';
import { type Join, joinParts, joinReplies, partsOf } from './command-route.ts';
import type { Journey } from './journey.ts';
import type { Node } from './node.ts';

/** A command whose keys are in several slots: each part goes its own way, by `send`. */
export function sendSplit(command: Command, journey: Journey, send: (part: Command) => void): void {
  const parts = partsOf(command);
  const sent = parts.map(({ args }) => {
    const part = partOf(command, args);
    send(part);
    return part.promise;
  });
  Promise.all(sent).then(
    (replies) => command.resolve(joinParts(command.name, parts, replies) as never),
    (error: unknown) => journey.fail(error),
  );
}

/** A command for all masters. If one of them cannot do it now, it is begun anew, for there may be others then. */
export function sendToAll(command: Command, join: Join, masters: readonly Node[]): void {
  const sent = masters.map((node) => {
    const part = partOf(command, command.args);
    node.lanes.send(part);
    return part.promise;
  });
  Promise.all(sent).then(
    (replies) => command.resolve(joinReplies(join, replies) as never),
    (error: unknown) => rejectSafely(command, error),
  );
}

/**
 * SCAN goes through the masters by name. Its cursor says with which it is, as `17@127.0.0.1:7001`; `0` begins with the
 * first, and ends after the last.
 */
export function sendScan(command: Command, all: readonly Node[]): void {
  const [given, ...others] = command.args;
  const [, cursor = '0', name] = /^(\d+)(?:@(.+))?$/.exec(String(given)) ?? [];
  const masters = [...all].sort((a, b) => (a.name < b.name ? -1 : 1));
  const at = masters.findIndex((one) => name === undefined || one.name >= name);
  const node = masters[at];
  if (node === undefined) {
    command.resolve(['0', []] as never); // the last ones have left
    return;
  }
  // One that has left had a cursor of its own.
  const from = node.name === name || name === undefined ? cursor : '0';
  const part = partOf(command, [from, ...others]);
  node.lanes.send(part);
  const told = (reply: unknown): void => {
    const [next, keys] = reply as [string | Buffer, unknown[]];
    const following = masters[at + 1];
    const rest = String(next) === '0' ? following && `0@${following.name}` : `${next}@${node.name}`;
    command.resolve([rest ?? '0', keys] as never);
  };
  part.promise.then(told, (error: unknown) => rejectSafely(command, error));
}

/** The same command with other arguments, for one node. */
function partOf(command: Command, args: readonly unknown[]): Command {
  const { replyEncoding } = command as unknown as { replyEncoding?: BufferEncoding | null };
  return new Command(command.name, args as string[], { replyEncoding: replyEncoding ?? null });
}
