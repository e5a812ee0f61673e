import { AsyncResource } from 'node:async_hooks';
import type { Command } from 'ioredis';
import { another } from '../api/errors.ts';
import { kindOf } from '../ioredis/command-kinds.ts';
import { rejectSafely } from '../ioredis/internals.ts';
import { bytesOf } from '../ioredis/lean-command.ts';
import { watchIn } from '../ioredis/watched-command.ts';

/**
 * The commands of one pipeline or transaction: they go together, over one connection, or not at all. ioredis hands
 * them over one by one, in one go.
 */
export class CommandGroup {
  readonly commands: Command[] = [];
  /** It takes a connection of its own: one of its commands may wait, or nobody knows what it does. */
  own = false;
  /** One of its commands may wait for what comes after it. */
  blocking = false;
  /** What its arguments weigh. */
  bytes = 0;
  /** Why none of it is sent. */
  refusal: Error | undefined;
  #inTransaction = false;
  /** Where it was given, if somebody is to be told of its commands. */
  readonly #context: AsyncResource | undefined;

  /** `stream` is what ioredis' pipeline would gather its bytes in; here it only tells one pipeline from another. */
  constructor(
    readonly stream: unknown,
    watched: boolean,
  ) {
    if (watched) this.#context = new AsyncResource('RedisPoolCommands');
  }

  /** A group of what is left of another. */
  static of(stream: unknown, commands: readonly Command[]): CommandGroup {
    const group = new CommandGroup(stream, false);
    for (const command of commands) {
      group.commands.push(command);
      group.bytes += bytesOf(command);
    }
    return group;
  }

  /** A transaction that was begun and not ended would swallow the commands of others. */
  get open(): boolean {
    return this.#inTransaction;
  }

  /** Adds a command; returns what is wrong with it: its kind, if it cannot be sent over a shared connection. */
  add(command: Command): 'stateful' | 'blocking' | undefined {
    this.commands.push(command);
    if (this.#context) watchIn(command, this.#context);
    if (this.refusal) rejectSafely(command, another(this.refusal));
    const name = command.name.toLowerCase();
    // With an argument Redis refuses them, and neither begins nor ends a transaction.
    const bare = command.args.length === 0;
    if (bare && name === 'multi') {
      this.#inTransaction = true;
      return undefined;
    }
    if (bare && this.#inTransaction && (name === 'exec' || name === 'discard')) {
      this.#inTransaction = false;
      return undefined;
    }
    const kind = kindOf(name, command.args);
    if (kind === 'stateful') return kind;
    // Within a transaction nothing blocks, and what nobody knows is run with the rest of it.
    if (kind === 'shared' || this.#inTransaction) return undefined;
    this.own = true;
    if (kind !== 'blocking') return undefined;
    this.blocking = true;
    return kind;
  }

  refuse(error: Error): void {
    if (this.refusal) return;
    this.refusal = error;
    for (const command of this.commands) rejectSafely(command, another(error));
  }
}
