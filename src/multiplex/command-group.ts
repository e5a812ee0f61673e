import { AsyncResource } from 'node:async_hooks';
import type { Command } from 'ioredis';
import { another } from '../api/errors.ts';
import { kindOf } from '../ioredis/command-kinds.ts';
import { refusalOf } from '../ioredis/error-replies.ts';
import { rejectSafely } from '../ioredis/internals.ts';
import { bytesOf } from '../ioredis/lean-command.ts';
import { watchIn } from '../ioredis/watched-command.ts';
import { arrayOf } from '../util/young.ts';

/**
 * The commands of one pipeline or transaction: all are sent over one connection, or none. ioredis passes them one by
 * one, synchronously.
 */
export class CommandGroup {
  readonly commands: Command[] = arrayOf();
  /** It has all its commands. */
  ended = false;
  /** Nobody will tell that: it is of a pipeline that was not made by `pool.redis`. */
  loose = false;
  /** It needs a dedicated connection: one of its commands may block, or is unknown. */
  needsDedicated = false;
  /** One of its commands may block. */
  blocking = false;
  /** The size of its arguments. Bytes. */
  bytes = 0;
  /** The reason why it is refused. */
  refusal: Error | undefined;
  #inTransaction = false;
  /** The async context of the caller, if somebody observes commands. */
  readonly #context: AsyncResource | undefined;

  /** `stream` is the buffer of an ioredis pipeline; here it only identifies the pipeline. */
  constructor(
    readonly stream: unknown,
    watched: boolean,
  ) {
    if (watched) this.#context = new AsyncResource('RedisPoolCommands');
  }

  /** A group of the remaining commands of another. */
  static of(stream: unknown, commands: readonly Command[]): CommandGroup {
    const group = new CommandGroup(stream, false);
    for (const command of commands) {
      group.commands.push(command);
      group.bytes += bytesOf(command);
    }
    return group;
  }

  /** An open transaction would include the commands of other callers. */
  get open(): boolean {
    return this.#inTransaction;
  }

  /** Adds a command; returns its kind if it cannot be sent over a shared connection. */
  add(command: Command): 'stateful' | 'blocking' | undefined {
    this.commands.push(command);
    if (this.#context) watchIn(command, this.#context);
    if (this.refusal) rejectSafely(command, another(this.refusal));
    const frame = frameOf(command);
    if (frame === 'begin' || (frame === 'end' && this.#inTransaction)) {
      this.#inTransaction = frame === 'begin';
      return undefined;
    }
    const kind = kindOf(command.name, command.args);
    if (kind === 'stateful') return kind;
    // Within a transaction no command blocks, and an unknown command runs with the rest of it.
    if (kind === 'shared' || this.#inTransaction) return undefined;
    this.needsDedicated = true;
    if (kind !== 'blocking') return undefined;
    this.blocking = true;
    return kind;
  }

  refuse(error: Error): void {
    if (this.refusal) return;
    this.refusal = error;
    for (const command of this.commands) rejectSafely(command, refusalOf(command)?.error ?? another(error));
  }
}

/** Whether a command begins or ends a transaction. With an argument Redis refuses it, and it does neither. */
export function frameOf({ name, args }: Pick<Command, 'name' | 'args'>): 'begin' | 'end' | undefined {
  if (args.length > 0) return undefined;
  const lower = name.toLowerCase();
  return lower === 'multi' ? 'begin' : lower === 'exec' || lower === 'discard' ? 'end' : undefined;
}

/** Sends `commands` over `lanes` as one group that is theirs alone. */
export function sendTogether(
  lanes: Record<'sendGroup' | 'added' | 'ended', (group: CommandGroup) => void>,
  commands: readonly Command[],
): void {
  const group = new CommandGroup({}, false);
  lanes.sendGroup(group);
  for (const command of commands) {
    group.add(command);
    lanes.added(group);
  }
  lanes.ended(group);
}
