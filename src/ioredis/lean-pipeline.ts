import { type Command, Pipeline, Redis, type RedisOptions } from 'ioredis';
import { asCallback, type NodeCallback } from '../util/callback.ts';
import { arrayOf } from '../util/young.ts';
import { isMethod, isTracing, transformers } from './internals.ts';
import { BareCommand, commandMethods, type Transformed, transformed } from './lean-command.ts';

/** Sends the commands of the pipelines of one client. */
export interface PipelineSender {
  /** Nobody observes commands, and they need nothing that a {@link BareCommand} has not. */
  readonly plain: boolean;
  /** Sends all commands together; each is a {@link BareCommand}. */
  send(pipeline: Executed, commands: readonly Command[]): void;
  /** Calls `exec`, which may pass all commands to the client's sendCommand. */
  guard<T>(pipeline: Executed, exec: () => T): T;
}

/** The internals of a pipeline that its sender uses. */
export interface Executed {
  readonly promise: Promise<unknown>;
  reject(error: unknown): void;
}

/** The properties of its client that a pipeline reads. */
interface PipelineClient {
  readonly options: RedisOptions;
  readonly scriptsSet: Readonly<Record<string, object>>;
  readonly addedBuiltinSet: ReadonlySet<string>;
}

/** The result of one command: its error, or `null` and its reply. */
type Result = [error: Error | null, reply?: unknown];
type Exec = (callback?: NodeCallback<never>) => Promise<Result[]>;
/** The internals that are used; ioredis' own types vary between major versions. */
interface Inherited {
  exec: Exec;
  execBuffer: Exec;
  multi(): void;
  addBatch(commands: unknown[][]): void;
  sendCommand(command: Command): unknown;
  fillResult(result: Result, position: number): void;
}
const inherited = Pipeline.prototype as unknown as Inherited;
const { pipeline, multi } = Redis.prototype as unknown as Record<
  'pipeline' | 'multi',
  (...args: unknown[]) => object
>;

const { exec, multi: begin, sendCommand, fillResult } = inherited;

/** Whether pipelines did what is known of them when this file was loaded. */
const KNOWN_PIPELINE = String(exec).includes('replyPending') && [sendCommand, fillResult].every(isMethod);

/** Whether they still do: nobody has replaced their methods, to observe them. */
function areAsKnown(): boolean {
  return (
    KNOWN_PIPELINE &&
    inherited.exec === exec &&
    inherited.multi === begin &&
    inherited.sendCommand === sendCommand &&
    inherited.fillResult === fillResult
  );
}

/** What EXEC needs of the commands before it, which may be ioredis' own. */
interface Queued extends Transformed {
  readonly replyEncoding: string | null;
  transformReply(reply: unknown): unknown;
}

/**
 * A command of a pipeline, which fills in its result by itself. There is a promise only for somebody who asks for it:
 * those of all commands would be most of the cost of a pipeline.
 */
class PipedCommand extends BareCommand {
  #promise: Promise<unknown> | undefined;
  #resolve: ((value: unknown) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;
  readonly #pipeline: LeanPipeline;

  constructor(
    name: string,
    args: unknown[],
    replyEncoding: 'utf8' | null,
    pipeline: LeanPipeline,
    readonly pipelineIndex: number,
  ) {
    super(name, args, replyEncoding);
    this.#pipeline = pipeline;
    this.inTransaction = pipeline._transactions > 0;
    this.prepare();
  }

  get promise(): Promise<unknown> {
    if (this.#promise) return this.#promise;
    this.#promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#promise.catch(() => {}); // the pipeline reports it
    const [error, value] = this.#pipeline._result[this.pipelineIndex] ?? [];
    if (this.isSettled) error ? this.#reject?.(error) : this.#resolve?.(value);
    return this.#promise;
  }

  reject(error: unknown): void {
    if (this.#isOver) return;
    this.isSettled = true;
    this.#reject?.(error);
    this.#pipeline.failed(error as Error, this.pipelineIndex);
  }

  protected tell(value: unknown): void {
    if (this.#isOver) return;
    this.#resolve?.(value);
    this.#pipeline.filled(arrayOf(null, value), this.pipelineIndex);
  }

  /** It has its result already: the pipeline was executed twice. */
  get #isOver(): boolean {
    return this.#pipeline._result[this.pipelineIndex] !== undefined;
  }

  protected get queue(): readonly Queued[] {
    return this.#pipeline._queue as unknown as Queued[];
  }
}

/** EXEC: the replies in its reply are those of the commands before it. */
class ExecCommand extends PipedCommand {
  /** Whether the strings in reply `i` of so many are wanted as text. */
  isText(i: number, count: number): boolean {
    return this.queue[this.pipelineIndex - count + i]?.replyEncoding === 'utf8';
  }

  override answer(reply: unknown): void {
    this.#convert(reply, transformed);
    super.answer(reply);
  }

  override resolve(reply: unknown): void {
    this.#convert(reply, (command, value) => command.transformReply(value));
    super.answer(reply);
  }

  /** Has the reply to each command as `how` makes it. */
  #convert(replies: unknown, how: (command: Queued, value: unknown) => unknown): void {
    if (!Array.isArray(replies)) return;
    const first = this.pipelineIndex - replies.length;
    for (let i = 0; i < replies.length; i++) {
      if (replies[i] instanceof Error) continue;
      try {
        replies[i] = how(this.queue[first + i] as Queued, replies[i]);
      } catch (error) {
        replies[i] = error;
      }
    }
  }
}

/**
 * An instance of ioredis' Pipeline, made without its constructor. That defines `length` on each pipeline with a new
 * getter; V8 makes a hidden class for each, and so keeps it, with all its commands and replies, until the next full
 * garbage collection. In a service with many pipelines that costs a third of the time.
 */
class LeanPipeline {
  readonly isPipeline = true;
  readonly isCluster = false;
  readonly scriptsSet = {};
  readonly addedBuiltinSet = new Set();
  readonly options: RedisOptions;
  replyPending = 0;
  readonly _queue: Command[] = arrayOf();
  readonly _result: Result[] = arrayOf();
  _transactions = 0;
  readonly _shaToScript: Record<string, object> = {};
  readonly promise: Promise<Result[]>;
  declare nodeifiedPromise: boolean | undefined;
  declare resolve: (results: Result[]) => void;
  declare reject: (error: unknown) => void;

  /** Its commands are lean. */
  readonly #lean: boolean;
  readonly #sender: PipelineSender | undefined;
  /** The number of its commands that are lean. */
  #added = 0;

  constructor(
    readonly redis: PipelineClient,
    sender?: PipelineSender,
  ) {
    this.#sender = sender;
    this.#lean = sender?.plain === true && areAsKnown();
    this.options = redis.options;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    for (const [name, script] of Object.entries(redis.scriptsSet)) {
      this._shaToScript[(script as { sha: string }).sha] = script;
      this.#copy(name);
    }
    for (const name of redis.addedBuiltinSet) this.#copy(name);
  }

  get length(): number {
    return this._queue.length;
  }

  multi(...args: unknown[]): this {
    if (args.length > 0 || !this.#lean) return Reflect.apply(inherited.multi, this, args);
    this._transactions++;
    return this.#add(new PipedCommand('multi', args, 'utf8', this, this.length));
  }

  exec(...args: [callback?: NodeCallback<never>]): Promise<Result[]> {
    const sender = this.#sender;
    if (sender === undefined) return inherited.exec.apply(this, args);
    if (this._transactions > 0 && this.#lean && transformers?.reply?.['exec'] === undefined) {
      this._transactions--;
      return this.#add(new ExecCommand('exec', [], null, this, this.length)) as never; // as ioredis does
    }
    const lean = this.#added === this.length && sender.plain && areAsKnown();
    if (!lean || this._transactions > 0 || this.length === 0) {
      return sender.guard(this, () => inherited.exec.apply(this, args));
    }
    if (!this.nodeifiedPromise) asCallback(this.promise, args[0]);
    this.nodeifiedPromise = true;
    this.replyPending = this.length;
    sender.send(this, this._queue);
    return this.promise;
  }

  static {
    const methods = Pipeline.prototype as unknown as Record<string, unknown>;
    for (const { method, command: name, encoding, full } of commandMethods()) {
      const value = function (this: LeanPipeline, ...args: unknown[]): unknown {
        const called = typeof args[args.length - 1] === 'function';
        if (this.#lean && !called && methods[method] === full) {
          try {
            return this.#add(new PipedCommand(name, args, encoding, this, this._queue.length));
          } catch {} // ioredis says what is wrong with the arguments
        }
        return (methods[method] as typeof full).apply(this, args);
      };
      Object.defineProperty(LeanPipeline.prototype, method, { value, writable: true, configurable: true });
    }
  }

  #add(command: PipedCommand): this {
    this._queue.push(command as unknown as Command);
    this.#added++;
    return this;
  }

  filled(result: Result, position: number): void {
    this._result[position] = result;
    this.#count();
  }

  /** Later, as with ioredis: whoever refuses the whole pipeline has the first word. */
  failed(error: Error, position: number): void {
    this._result[position] = [error];
    queueMicrotask(() => this.#count());
  }

  #count(): void {
    if (--this.replyPending === 0) this.resolve(this._result.slice());
  }

  #copy(name: string): void {
    for (const method of [name, `${name}Buffer`]) Reflect.set(this, method, Reflect.get(this.redis, method));
  }
}
Object.setPrototypeOf(LeanPipeline.prototype, Pipeline.prototype);

/** The same for the pipelines of `multi()`: its `exec` resolves with the replies to the commands within. */
class LeanTransaction extends LeanPipeline {
  constructor(redis: PipelineClient, sender?: PipelineSender) {
    super(redis, sender);
    this.multi();
  }

  override exec(callback?: NodeCallback<never>): Promise<Result[]> {
    if (this._transactions > 0) void super.exec(); // adds EXEC
    if (this.nodeifiedPromise) return super.exec();
    return asCallback(super.exec().then(unwrap) as Promise<Result[]>, callback);
  }

  execBuffer(callback?: NodeCallback<never>): Promise<Result[] | null> {
    if (this._transactions > 0) void inherited.execBuffer.call(this);
    return this.exec(callback);
  }
}

/** Converts the reply to EXEC to the results of a pipeline. */
function unwrap(results: Result[]): Result[] | null {
  const last = results.at(-1);
  if (last === undefined) throw new Error('exec() was called already: this transaction has no commands left');
  const [error, replies] = last;
  if (error) {
    const previousErrors = results.slice(0, -1).flatMap(([one]) => one ?? []);
    throw Object.assign(error, { previousErrors });
  }
  if (!replies) return null; // a watched key was changed
  return (replies as unknown[]).map((reply) => (reply instanceof Error ? [reply] : arrayOf(null, reply)));
}

/** Whether ioredis' pipelines are as this file expects them. If not, ioredis' own are used. */
export const canUseLeanPipeline = ((): boolean => {
  const client = { options: {}, scriptsSet: {}, addedBuiltinSet: new Set<string>(), isCluster: false };
  const methods = [inherited.exec, inherited.execBuffer, inherited.multi, inherited.addBatch];
  try {
    const theirs = Object.keys(new Pipeline(client as never));
    const ours = Object.keys(new LeanPipeline(client));
    return String(theirs.sort()) === String(ours.sort()) && methods.every((one) => typeof one === 'function');
  } catch {
    return false; // its constructor reads other properties of the client
  }
})();

/** Implements `client.pipeline(commands)`. */
export function pipelineOf(client: object, commands?: unknown[][], sender?: PipelineSender): object {
  if (!canUseLeanPipeline || isTracing()) return guarded(pipeline.call(client), commands, sender);
  return filled(new LeanPipeline(client as PipelineClient, sender), commands);
}

/** Implements `client.multi(commands)`. */
export function multiOf(client: object, commands?: unknown[][], sender?: PipelineSender): object {
  if (!canUseLeanPipeline || isTracing()) return guarded(multi.call(client), commands, sender);
  return filled(new LeanTransaction(client as PipelineClient, sender), commands);
}

/** One that ioredis has made itself. */
function guarded(
  made: object,
  commands: unknown[][] | undefined,
  sender: PipelineSender | undefined,
): object {
  const theirs = made as LeanPipeline;
  if (sender) {
    const { exec } = theirs;
    theirs.exec = (...args) => sender.guard(theirs, () => exec.apply(theirs, args));
  }
  return filled(theirs, commands);
}

function filled(made: LeanPipeline, commands: unknown[][] | undefined): object {
  if (commands) inherited.addBatch.call(made, commands);
  return made;
}
