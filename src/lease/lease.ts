import { inspect } from 'node:util';
import { type Command, Redis } from 'ioredis';
import type { Lease, LeaseMessage } from '../api/lease.ts';
import { checkSignal } from '../core/abort-signals.ts';
import type { PoolSlot } from '../core/context.ts';
import type { PoolErrors } from '../core/pool-errors.ts';
import {
  areWatched,
  canUseLeanCommands,
  hasPlainOptions,
  isWrapped,
  rejectSafely,
} from '../ioredis/internals.ts';
import { commandMethods, LeanCommand, SentCommand } from '../ioredis/lean-command.ts';
import { multiOf, type PipelineSender, pipelineOf } from '../ioredis/lean-pipeline.ts';
import { Taint, taintAfter } from '../ioredis/taint.ts';
import { hasCallback, ignore } from '../ioredis/watched-command.ts';
import { WriteBuffer } from '../ioredis/write-buffer.ts';
import { warnThrown } from '../util/warn.ts';
import { Messages } from './messages.ts';

/** What a lease needs of its pool. */
export interface LeaseOwner {
  /** The lease has ended. `taint` is what its commands left on the connection. Called once. */
  release(slot: PoolSlot, taint: number, fate: 'keep' | 'destroy'): void;
  readonly errors: Pick<PoolErrors, 'make'>;
  /** The error without secrets, of a command that may carry a password. */
  hush(error: Error, client: Redis): Error;
  /** Its connection is lost. */
  lost(slot: PoolSlot, consequence: string): Error;
}

/** Commands that were defined on `pool.redis`, by name. */
export type DefinedCommands = ReadonlyMap<string, Parameters<Redis['defineCommand']>[1]>;

/** Sees to what the connection of a lease refuses, since it leads to one of several nodes. */
export interface LeaseRouter {
  /**
   * A command is being sent. `tainted`: commands before it have left something on the connection. Returns whether it is
   * kept back, and will be sent later.
   */
  sending(command: Command, tainted: boolean): boolean;
}

/** The part of a socket that ioredis' pipelines need. */
export interface LeaseStream {
  readonly writable: boolean;
  write(data: string | Buffer): boolean;
}

const SUBSCRIBING = /^[ps]?(un)?subscribe$/;

/** The key of the scripts that the class of a lease brings, besides those of its client. */
const SCRIPTS = Symbol('scripts');

type Stream = Parameters<Redis['sendCommand']>[1];
type Listener = (...args: unknown[]) => void;

/** The events of a connection that concern its borrower. */
const FORWARDED: ReadonlySet<unknown> = new Set([
  ...['message', 'messageBuffer', 'pmessage', 'pmessageBuffer', 'smessage', 'smessageBuffer'],
  ...['close', 'end', 'error'],
]);

/**
 * An instance of Redis, made without Redis' constructor: its commands are ioredis' own, and all of them end in
 * `sendCommand`, which reaches the connection until the lease ends, and nothing afterwards. Everything else in Redis
 * that acts on a connection is overridden here, so that a stale reference cannot affect the next borrower.
 */
export class LeaseHandle {
  connectionId: number;
  readonly options: Redis['options'];
  declare readonly [SCRIPTS]?: object;
  #slot: PoolSlot | undefined;
  #owner: LeaseOwner;
  #router: LeaseRouter | undefined;
  #taint: number = Taint.none;
  #forwards: Map<string, Listener> | undefined;
  #endTold = false;
  #stream: LeaseStream | undefined;

  constructor(slot: PoolSlot, options: Redis['options'], owner: LeaseOwner) {
    this.connectionId = slot.id;
    this.options = options;
    this.#slot = slot;
    this.#owner = owner;
  }

  /** From now on `router` sees to what is refused. */
  static route(lease: Lease, router: LeaseRouter): void {
    (lease as unknown as LeaseHandle).#router = router;
  }

  /** Has `lease` go on over the connection of `other`, which was just acquired; gives its own back, which it has not used. */
  static exchange(lease: Lease, other: Lease): void {
    (lease as unknown as LeaseHandle).#takeOver(other as unknown as LeaseHandle);
  }

  sendCommand(command: Command, stream?: Stream): unknown {
    const slot = this.#slot;
    const connection = slot?.connection;
    if (slot === undefined || connection === undefined) {
      rejectSafely(command, this.#released('the command was not sent'));
      return command.promise;
    }
    if (!connection.alive) {
      rejectSafely(command, this.#owner.lost(slot, 'the command was not sent'));
      return command.promise;
    }
    const name = command.name.toLowerCase();
    // In upper case SUBSCRIBE makes ioredis 5 throw. For all other commands the reply may depend on the name's case.
    if (name !== command.name && SUBSCRIBING.test(name)) command.name = name;
    if (this.#router?.sending(command, this.#taint !== Taint.none)) return command.promise;
    this.#note(name, command.args);
    if (name === 'auth' || name === 'hello') this.#hush(command, connection.client);
    // Its reply comes after messages that a slow reader of messages() may have left in the socket.
    if (this.#forwards) connection.client.stream.resume();
    const sent = connection.client.sendCommand(command, stream);
    // The promise that an instrumentation derives from it is dropped by pipelines, and by callers with a callback.
    if (sent !== command.promise && (stream !== undefined || hasCallback(command))) ignore(sent);
    return sent;
  }

  /** Remembers what a command leaves on the connection. */
  #note(name: string, args: readonly unknown[]): void {
    this.#taint = taintAfter(this.#taint, name, args);
    if (this.#taint !== Taint.none && this.#slot) this.#slot.tainted = true;
  }

  /** A lease whose commands need no more than a {@link LeanCommand} has: its methods make and send one. */
  static readonly Lean = class extends LeaseHandle {};

  static {
    const { sendCommand } = LeaseHandle.prototype;
    const methods = Redis.prototype as unknown as Record<string, unknown>;
    for (const { method, command: name, encoding, full } of commandMethods()) {
      const value = function (this: LeaseHandle, ...args: unknown[]): unknown {
        const called = typeof args[args.length - 1] === 'function';
        // Somebody may have replaced either, to observe commands.
        const own = this.sendCommand !== sendCommand || methods[method] !== full;
        if (called || own || !this.#isPlain) return (methods[method] as typeof full).apply(this, args);
        const command = new LeanCommand(name, args, encoding);
        if (!command.isSettled) this.#write(command as unknown as Command);
        return command.promise;
      };
      Object.defineProperty(LeaseHandle.Lean.prototype, method, {
        value,
        writable: true,
        configurable: true,
      });
    }
  }

  /** Its connection is as it was acquired, but for watched keys, and nobody watches what it sends, nor what is refused. */
  get #isPlain(): boolean {
    const connection = this.#slot?.connection;
    if (!connection?.alive || this.#taint & ~Taint.watch || this.#forwards || this.#router) return false;
    return !areWatched() && !isWrapped(connection.client);
  }

  /** As ioredis' sendCommand does, of which nothing more is needed here. */
  #write(command: Command): void {
    const { commandQueue, condition, stream } = this.#client as Redis;
    try {
      command.setReplyContext?.(condition);
      stream.write(command.toWritable(stream));
      commandQueue.push(new SentCommand(command, undefined, condition?.select) as never);
    } catch (error) {
      rejectSafely(command, error); // it cannot be written, as a text that is too long
    }
  }

  pipeline(commands?: unknown[][]): object {
    return pipelineOf(this, commands, this.#sender);
  }

  get #sender(): PipelineSender | undefined {
    return this instanceof LeaseHandle.Lean ? new LeaseHandle.#Sender(this) : undefined;
  }

  /** How its pipelines send their commands. */
  static readonly #Sender = class implements PipelineSender {
    readonly #lease: LeaseHandle;

    constructor(lease: LeaseHandle) {
      this.#lease = lease;
    }

    get plain(): boolean {
      return this.#lease.#isPlain && this.#lease.sendCommand === LeaseHandle.prototype.sendCommand;
    }

    send(pipeline: object, commands: readonly Command[]): void {
      const lease = this.#lease;
      const client = lease.#client as Redis;
      const buffer = new WriteBuffer(client);
      try {
        buffer.appendAll(commands);
      } catch (error) {
        for (const command of commands) rejectSafely(command, error);
        return;
      }
      buffer.flush();
      for (const command of commands) {
        lease.#note(command.name, command.args);
        client.commandQueue.push(new SentCommand(command, pipeline, client.condition?.select) as never);
      }
    }

    guard<T>(_: object, exec: () => T): T {
      return exec();
    }
  };

  multi(...given: unknown[]): object {
    const [commands, options] = Array.isArray(given[0]) ? given : [undefined, ...given];
    const alone = (options as { pipeline?: boolean } | undefined)?.pipeline === false;
    if (alone) return (Redis.prototype.multi as (...args: unknown[]) => object).apply(this, given);
    return multiOf(this, commands as unknown[][] | undefined, this.#sender);
  }

  release(): void {
    this.#end('keep');
  }

  destroy(): void {
    this.#end('destroy');
  }

  [Symbol.dispose](): void {
    this.#end('keep');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end('keep');
  }

  get raw(): Redis {
    const client = this.#client;
    if (client === undefined) throw this.#released('its client is out of reach');
    this.#taint |= Taint.dirty;
    if (this.#slot) this.#slot.tainted = true;
    return client;
  }

  messages({
    signal,
  }: {
    readonly signal?: AbortSignal | undefined;
  } = {}): AsyncIterableIterator<LeaseMessage> {
    const slot = this.#slot;
    const client = this.#client;
    if (signal !== undefined) checkSignal(signal);
    if (slot === undefined || client === undefined) throw this.#released('it hears nothing any more');
    const lost = (): Error => this.#owner.lost(slot, 'messages may be missed');
    if (!slot.connection?.alive) throw lost();
    return new Messages({
      emitter: this as unknown as Redis,
      signal,
      lost,
      pause: () => void (client.commandQueue.length === 0 && client.stream.pause()),
      resume: () => void client.stream.resume(),
    });
  }

  /** For logs and the console, without the options, which hold a password. */
  toJSON(): object {
    return { connectionId: this.connectionId, status: this.status };
  }

  [inspect.custom](): string {
    return `Lease (connection ${this.connectionId}, ${this.#slot ? this.status : 'released'})`;
  }

  get status(): Redis['status'] {
    return this.#client?.status ?? 'end';
  }

  get mode(): string {
    return this.#client?.mode ?? 'normal';
  }

  /** What ioredis' pipelines write to. Not the socket itself: a borrower could keep that after the lease. */
  get stream(): LeaseStream | undefined {
    if (this.#slot === undefined) return undefined;
    const lease = this;
    this.#stream ??= {
      get writable() {
        return lease.#slot?.connection?.alive ?? false;
      },
      write: (data) => lease.#client?.stream.write(data) ?? false,
    };
    return this.#stream;
  }

  get isCluster(): false {
    return false;
  }

  get autoPipelineQueueSize(): number {
    return 0;
  }

  /** Commands that this lease has defined; ioredis' pipelines read it. */
  get scriptsSet(): object {
    return this.#own('scriptsSet', { ...this.#client?.scriptsSet, ...this[SCRIPTS] });
  }

  get addedBuiltinSet(): Set<string> {
    return this.#own('addedBuiltinSet', new Set(this.#client?.addedBuiltinSet));
  }

  async connect(): Promise<never> {
    if (this.#slot === undefined) throw this.#released('acquire another one');
    throw new Error('Redis is already connecting/connected');
  }

  disconnect(): void {
    this.#end('destroy');
  }

  end(): void {
    this.#end('destroy');
  }

  duplicate(): never {
    throw new Error('a lease cannot be duplicated, or the pool would lose its bound: acquire() another one');
  }

  async monitor(): Promise<never> {
    throw new Error(
      'monitor() opens a connection outside the pool: call it on an ioredis client of your own',
    );
  }

  on(event: string, listener: Listener): this {
    return this.#listen('on', event, listener);
  }

  addListener(event: string, listener: Listener): this {
    return this.#listen('on', event, listener);
  }

  once(event: string, listener: Listener): this {
    return this.#listen('once', event, listener);
  }

  prependListener(event: string, listener: Listener): this {
    return this.#listen('prependListener', event, listener);
  }

  prependOnceListener(event: string, listener: Listener): this {
    return this.#listen('prependOnceListener', event, listener);
  }

  get #client(): Redis | undefined {
    return this.#slot?.connection?.client;
  }

  /** Listeners are added to the lease, and get the connection's events until the lease ends. */
  #listen(
    how: 'on' | 'once' | 'prependListener' | 'prependOnceListener',
    event: string,
    listener: Listener,
  ): this {
    const emitter = this as unknown as Redis;
    const client = this.#client;
    if (client && FORWARDED.has(event) && !this.#forwards?.has(event)) {
      const forward: Listener = (...args) => {
        if (event === 'end') this.#endTold = true;
        if (emitter.listenerCount(event) > 0) emitter.emit(event, ...args);
      };
      this.#forwards ??= new Map();
      this.#forwards.set(event, forward);
      client.on(event, forward);
    }
    Redis.prototype[how].call(emitter, event, listener);
    return this;
  }

  #takeOver(other: LeaseHandle): void {
    const slot = this.#slot;
    if (slot === undefined) {
      other.release(); // it was given back meanwhile
      return;
    }
    const forwards = [...(this.#forwards ?? [])];
    for (const [event, forward] of forwards) this.#client?.off(event, forward);
    this.#owner.release(slot, Taint.none, 'keep');
    this.#slot = other.#slot;
    this.#owner = other.#owner;
    this.#taint = Taint.none;
    this.connectionId = other.connectionId;
    other.#slot = undefined;
    if (this.#slot?.lease === other) this.#slot.lease = this; // who is watched lest it be dropped
    for (const [event, forward] of forwards) this.#client?.on(event, forward);
  }

  #end(fate: 'keep' | 'destroy'): void {
    const slot = this.#slot;
    if (slot === undefined) return;
    const client = this.#client;
    this.#slot = undefined;
    try {
      for (const [event, forward] of this.#forwards ?? []) client?.off(event, forward);
    } finally {
      this.#owner.release(slot, this.#taint, fate); // even if a `removeListener` listener throws
    }
    if (this.#forwards && !this.#endTold) this.#tellEnd();
  }

  /** A server that does not know a command repeats its arguments in the error. */
  #hush(command: Command, client: Redis): void {
    const { reject } = command;
    command.reject = (error) => reject.call(command, this.#owner.hush(error, client));
  }

  /** A throw of a listener must not come out of release(). */
  #tellEnd(): void {
    try {
      (this as unknown as Redis).emit('end');
    } catch (error) {
      warnThrown("a listener for 'end' of a lease threw", error);
    }
  }

  #own<T>(name: string, value: T): T {
    Object.defineProperty(this, name, { value });
    return value;
  }

  #released(consequence: string): Error {
    return this.#owner.errors.make('POOL_LEASE_RELEASED', `the lease was released: ${consequence}`);
  }
}

Object.setPrototypeOf(LeaseHandle.prototype, Redis.prototype);
for (const { prototype } of [LeaseHandle, LeaseHandle.Lean]) {
  Object.defineProperty(prototype, 'constructor', { value: Redis.prototype.constructor });
}

type LeaseClass = new (slot: PoolSlot, options: Redis['options'], owner: LeaseOwner) => LeaseHandle;

/**
 * The class of leases over clients like `client`: with the methods of its own class, if that is a subclass of
 * Redis, and with the commands defined on it, by option `scripts` or in `onConnect`, and those that are `defined`
 * besides.
 */
function leaseClassFor(client: Redis, defined: DefinedCommands): LeaseClass {
  const scripts = Object.keys(client.scriptsSet);
  const added = [...client.addedBuiltinSet];
  const proto = Object.getPrototypeOf(client) as object;
  const plain = proto === Redis.prototype && scripts.length + added.length === 0;
  const lean = plain && canUseLeanCommands(client.options) && hasPlainOptions(client);
  const Base = lean ? LeaseHandle.Lean : LeaseHandle;
  if (plain && defined.size === 0) return Base;
  class OwnLease extends Base {}
  const own = Object.getOwnPropertyNames(LeaseHandle.prototype);
  for (let at = proto; at !== Redis.prototype && at !== null; at = Object.getPrototypeOf(at)) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (!own.includes(name) && !Object.hasOwn(OwnLease.prototype, name)) {
        Object.defineProperty(OwnLease.prototype, name, property);
      }
    }
  }
  const add = (from: object, commands: Iterable<string>): void => {
    for (const name of [...commands].flatMap((one) => [one, `${one}Buffer`])) {
      if (own.includes(name)) continue; // a lease without its release() would be of no use
      const value = Reflect.get(from, name);
      Object.defineProperty(OwnLease.prototype, name, { value, writable: true, configurable: true });
    }
  };
  add(client, [...scripts, ...added]);
  const definer = { options: client.options, scriptsSet: {} };
  for (const [name, definition] of defined) {
    Redis.prototype.defineCommand.call(definer as Redis, name, definition);
  }
  add(definer, defined.keys());
  Object.defineProperty(OwnLease.prototype, SCRIPTS, { value: definer.scriptsSet });
  Object.defineProperty(OwnLease.prototype, 'constructor', { value: client.constructor });
  return OwnLease;
}

/** Makes leases over the connections of one pool, which are all alike: `client` is that of the first. */
export function leaseMaker(
  client: Redis,
  owner: LeaseOwner,
  defined: DefinedCommands,
): (slot: PoolSlot) => Lease {
  const Class = leaseClassFor(client, defined);
  // A frozen copy: a borrower's changes would otherwise affect the next one.
  const options = Object.freeze({ ...client.options });
  return (slot) => new Class(slot, options, owner) as unknown as Lease;
}
