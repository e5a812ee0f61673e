import { inspect } from 'node:util';
import { type Command, Redis, type RedisOptions } from 'ioredis';
import { kindOf } from '../ioredis/command-kinds.ts';
import { areWatched, canUseLeanCommands, rejectSafely } from '../ioredis/internals.ts';
import { commandMethods, keepBytes, LeanCommand } from '../ioredis/lean-command.ts';
import { type Executed, multiOf, type PipelineSender, pipelineOf } from '../ioredis/lean-pipeline.ts';
import { withForcedEval } from '../ioredis/script-eval.ts';
import { ignore, watch } from '../ioredis/watched-command.ts';
import { asCallback, type NodeCallback } from '../util/callback.ts';
import type { ClientOwner, Lanes } from './client-backend.ts';
import { ClientEvents } from './client-events.ts';
import { checkOverride, inertOptions, visibleOptions } from './client-options.ts';
import { CommandGroup } from './command-group.ts';

/** The internals of ioredis' client that are used here; its own types vary between major versions. */
interface Client extends NodeJS.EventEmitter {
  readonly options: RedisOptions;
  readonly scriptsSet: Record<string, object>;
  readonly addedBuiltinSet: ReadonlySet<string>;
  defineCommand(name: string, definition: Definition): void;
  pipeline(): Executed;
  multi(): Executed;
}
type Stream = Parameters<Redis['sendCommand']>[1];
type Definition = Parameters<Redis['defineCommand']>[1];
type Callback = NodeCallback<never>;
const Base = Redis as unknown as new (options: RedisOptions) => Client;

/**
 * `pool.redis`: an instance of ioredis' client that never connects. Its commands are ioredis' own; all of them end in
 * `sendCommand`, which passes them to the pool. Whatever else a caller changes on it affects this object only.
 */
class PoolRedis extends Base {
  /** The prototype of views whose options need plain commands only: its methods make lean commands. */
  static readonly #lean: object = Object.create(PoolRedis.prototype);
  readonly #owner: ClientOwner;
  /** Where its commands go. */
  readonly #lanes: Lanes;
  /** What it makes plain commands of, if it is more than a {@link LeanCommand}. */
  readonly #Own: typeof LeanCommand | undefined;
  readonly #given: RedisOptions;
  /** Ending it ends the pool; ending a duplicate does not. */
  readonly #first: boolean;
  /** The group that a pipeline is filling. */
  #group: CommandGroup | undefined;
  /** It is known when that pipeline ends. */
  #guards = false;
  readonly #sender: PipelineSender;
  readonly #announcer: ClientEvents;
  /** It was closed by one of its own methods, such as `quit()`. */
  #closed = false;

  constructor(given: RedisOptions, owner: ClientOwner, first: boolean) {
    super(inertOptions(given));
    Object.assign(this.options, visibleOptions(given)); // for callers that read them
    this.#given = given;
    this.#owner = owner;
    this.#lanes = owner.lanes;
    this.#Own = owner.lanes.Command;
    this.#first = first;
    const leanly = canUseLeanCommands(given);
    this.#sender = new PoolRedis.#Sender(this, leanly && this.#Own === undefined);
    if (leanly) Object.setPrototypeOf(this, PoolRedis.#lean);
    for (const [name, script] of Object.entries(given.scripts ?? {})) this.#define(name, script);
    this.#announcer = new ClientEvents(this, owner);
  }

  static {
    const { prototype } = PoolRedis;
    const { sendCommand } = prototype;
    for (const { method, command: name, encoding, full } of commandMethods()) {
      const value = function (this: PoolRedis, ...args: unknown[]): unknown {
        const called = typeof args[args.length - 1] === 'function';
        // Somebody may have replaced sendCommand, to observe commands.
        if (called || this.sendCommand !== sendCommand || this.#watched) return full.apply(this, args);
        const Own = this.#Own;
        // Not `Own ?? LeanCommand`: what is known beforehand is made faster.
        const command = Own ? new Own(name, args, encoding) : new LeanCommand(name, args, encoding);
        if (this.#closed) command.reject(this.#endedError());
        else if (!command.isSettled) this.#lanes.send(command as unknown as Command);
        return command.promise;
      };
      Object.defineProperty(PoolRedis.#lean, method, { value, writable: true, configurable: true });
    }
    // An accessor in place of the property that Redis' constructor sets.
    Object.defineProperty(prototype, 'status', {
      configurable: true,
      get(this: PoolRedis) {
        return this.#closed ? 'end' : this.#owner.status;
      },
      set() {},
    });
    // It would emit the events of a client that connects.
    Object.defineProperty(prototype, 'setStatus', { configurable: true, value: () => {} });
  }

  sendCommand(command: Command, stream?: Stream): unknown {
    const broken = this.#isBroken(command);
    if (stream && 'isPipeline' in stream) this.#addToGroup(command, stream, broken);
    else if (!broken) return this.#send(command);
    return command.promise;
  }

  /** Whether ioredis could not make it, because an argument has no text: its promise is rejected already. */
  #isBroken(command: Command): boolean {
    const broken = command.reject === undefined;
    if (broken) command.reject = () => {};
    else keepBytes(command);
    return broken;
  }

  /** Somebody observes each command. */
  get #watched(): boolean {
    return this.#lanes.watched || areWatched();
  }

  override pipeline(commands?: unknown[][]): Executed {
    return pipelineOf(this, commands, this.#sender) as Executed;
  }

  override multi(first?: unknown[][] | { pipeline?: boolean }, second?: { pipeline?: boolean }): Executed {
    const commands = Array.isArray(first) ? first : undefined;
    const options = Array.isArray(first) ? second : (first ?? second);
    if (options?.pipeline === false) {
      return Promise.reject(this.#stateful('MULTI without a pipeline')) as unknown as Executed;
    }
    return multiOf(this, commands, this.#sender) as Executed;
  }

  override defineCommand(name: string, definition: Definition): void {
    this.#define(name, definition);
    if (this.#first) this.#owner.leases.define(name, definition);
  }

  #define(name: string, definition: object): void {
    super.defineCommand(name, definition as Definition);
    withForcedEval(this.scriptsSet?.[name]);
  }

  duplicate(override: RedisOptions = {}): PoolRedis {
    checkOverride(override, this.options);
    return new PoolRedis({ ...this.#given, ...override }, this.#owner, false);
  }

  connect(callback?: Callback): Promise<void> {
    const ready = this.#owner.ready().catch((error: unknown) => {
      throw this.#closed ? this.#endedError() : error;
    });
    return asCallback(ready, callback);
  }

  quit(callback?: Callback): Promise<'OK'> {
    this.#closed = true;
    const closed = this.#first ? this.#owner.quit() : this.#announcer.leave();
    return asCallback(
      Promise.resolve(closed).then(() => 'OK' as const),
      callback,
    );
  }

  disconnect(): void {
    this.#closed = true;
    if (this.#first) this.#owner.disconnect();
    else this.#announcer.leave();
  }

  end(): void {
    this.disconnect();
  }

  /** For logs and the console, without the options, which hold a password. */
  toJSON(): object {
    return { status: this.#closed ? 'end' : this.#owner.status };
  }

  [inspect.custom](): string {
    return `pool.redis (${this.#closed ? 'end' : this.#owner.status})`;
  }

  monitor(callback?: Callback): Promise<never> {
    return asCallback(Promise.reject(this.#stateful('MONITOR')), callback);
  }

  #send(command: Command): Promise<unknown> {
    const { name, args } = command;
    const answer = this.#watched ? watch(command) : command.promise;
    const kind = kindOf(name, args);
    if (this.#closed) rejectSafely(command, this.#endedError());
    else if (kind === 'shared') this.#lanes.send(command);
    else if (kind === 'stateful') rejectSafely(command, this.#stateful(name.toUpperCase()));
    else if (kind === 'blocking' && this.#owner.single) rejectSafely(command, this.#blocking(name));
    else this.#sendAlone(command);
    return answer;
  }

  #sendAlone(command: Command): void {
    const group = new CommandGroup(undefined, false);
    group.add(command);
    this.#lanes.sendGroup(group);
    this.#lanes.added(group);
    this.#lanes.ended(group);
  }

  #addToGroup(command: Command, stream: Stream, broken: boolean): void {
    let group = this.#group;
    if (group === undefined || group.stream !== stream) {
      group = new CommandGroup(stream, this.#watched);
      group.loose = !this.#guards;
      this.#group = group;
      this.#lanes.sendGroup(group);
    }
    this.#add(command, group, broken);
  }

  #add(command: Command, group: CommandGroup, broken: boolean): void {
    if (this.#closed) group.refuse(this.#endedError());
    if (broken) group.refuse(new TypeError(`the arguments of ${command.name} cannot be sent`));
    const kind = group.add(command);
    if (kind === 'stateful') group.refuse(this.#stateful(command.name.toUpperCase()));
    if (kind === 'blocking' && this.#owner.single) group.refuse(this.#blocking(command.name));
    this.#lanes.added(group);
  }

  /** How its pipelines send their commands. */
  static readonly #Sender = class implements PipelineSender {
    readonly #client: PoolRedis;
    readonly #leanly: boolean;

    constructor(client: PoolRedis, leanly: boolean) {
      this.#client = client;
      this.#leanly = leanly;
    }

    get plain(): boolean {
      const client = this.#client;
      return this.#leanly && client.sendCommand === PoolRedis.prototype.sendCommand && !client.#watched;
    }

    send(pipeline: Executed, commands: readonly Command[]): void {
      const client = this.#client;
      const group = new CommandGroup(pipeline, false);
      client.#lanes.sendGroup(group);
      for (const command of commands) client.#add(command, group, client.#isBroken(command));
      client.#end(group, pipeline);
    }

    guard<T>(pipeline: Executed, exec: () => T): T {
      const client = this.#client;
      // Whatever observes the commands of a pipeline may execute another one, or throw.
      const [outer, guards] = [client.#group, client.#guards];
      client.#group = undefined;
      client.#guards = true;
      try {
        return exec();
      } catch (error) {
        (client.#group as CommandGroup | undefined)?.refuse(error as Error); // its rest will not come
        ignore(pipeline.promise);
        throw error;
      } finally {
        const group = client.#group as CommandGroup | undefined;
        client.#group = outer;
        client.#guards = guards;
        if (group) client.#end(group, pipeline);
      }
    }
  };

  /** One refused command refuses the whole pipeline: `exec()` rejects, and none of its commands is sent. */
  #end(group: CommandGroup, pipeline: Executed): void {
    if (group.open) group.refuse(this.#stateful('MULTI without EXEC'));
    if (group.refusal) pipeline.reject(group.refusal);
    this.#lanes.ended(group);
  }

  #stateful(what: string): Error {
    return this.#owner.errors.make(
      'POOL_STATEFUL_COMMAND',
      `${what} belongs to one connection, and pool.redis shares its connections: use pool.use() or pool.acquire()`,
    );
  }

  #blocking(name: string): Error {
    return this.#owner.errors.make(
      'POOL_STATEFUL_COMMAND',
      `${name.toUpperCase()} may block the only connection (maxActive is 1): raise maxActive, or use pool.use()`,
    );
  }

  /** With ioredis' own message, since callers may compare it. */
  #endedError(): Error {
    const cause = this.#owner.errors.make(
      'POOL_CLOSED',
      'this client was closed with quit() or disconnect()',
    );
    return new Error('Connection is closed.', { cause });
  }
}

/** Makes `pool.redis`; `options` are those of the pool's connections. */
export function makePoolRedis(options: RedisOptions, owner: ClientOwner): Redis {
  return new PoolRedis(options, owner, true) as unknown as Redis;
}
