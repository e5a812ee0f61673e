import type { Command } from 'ioredis';
import { another } from '../api/errors.ts';
import { isReadOnly } from '../ioredis/command-kinds.ts';
import { rejectSafely } from '../ioredis/internals.ts';
import { CommandGroup } from './command-group.ts';
import type { InFlight, QueueEntry } from './lane.ts';

/** Commands that were sent twice, and will not be sent again. */
const resent = new WeakSet<Command>();

/**
 * The unanswered commands of a lost lane that may be sent once more: those that only read, according to Redis itself,
 * and groups of such. All others may have run, and are rejected with the error that `lost` makes.
 */
export function toResend(unanswered: readonly InFlight[], lost: () => Error): QueueEntry[] {
  const again: QueueEntry[] = [];
  let error: Error | undefined;
  for (const { group, commands } of together(unanswered)) {
    if (commands.every((one) => isReadOnly(one.name, one.args) && !resent.has(one))) {
      for (const one of commands) resent.add(one);
      again.push(...(group ? [CommandGroup.of(group.stream, commands)] : commands));
    } else {
      error ??= lost();
      for (const one of commands) rejectSafely(one, another(error));
    }
  }
  return again;
}

/** What went together. */
export interface Part {
  readonly group: CommandGroup | undefined;
  readonly commands: Command[];
}

/** Single commands as they are, those of one group together. */
export function together(sent: readonly InFlight[]): Part[] {
  const parts: Part[] = [];
  for (const { command, stream: group } of sent) {
    const last = parts.at(-1);
    if (last && group && last.group === group) last.commands.push(command);
    else parts.push({ group, commands: [command] });
  }
  return parts;
}
