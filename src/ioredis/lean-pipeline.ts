import { type Command, Pipeline, Redis, type RedisOptions } from 'ioredis';
import { asCallback, type NodeCallback } from '../util/callback.ts';
import { isTracing } from './internals.ts';

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
}
const inherited = Pipeline.prototype as unknown as Inherited;
const { pipeline, multi } = Redis.prototype as unknown as Record<
  'pipeline' | 'multi',
  (...args: unknown[]) => object
>;

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
  readonly _queue: Command[] = [];
  readonly _result: Result[] = [];
  _transactions = 0;
  readonly _shaToScript: Record<string, object> = {};
  readonly promise: Promise<Result[]>;
  declare resolve: (results: Result[]) => void;
  declare reject: (error: unknown) => void;

  constructor(readonly redis: PipelineClient) {
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

  #copy(name: string): void {
    for (const method of [name, `${name}Buffer`]) Reflect.set(this, method, Reflect.get(this.redis, method));
  }
}
Object.setPrototypeOf(LeanPipeline.prototype, Pipeline.prototype);

/** The same for the pipelines of `multi()`: its `exec` resolves with the replies to the commands within. */
class LeanTransaction extends LeanPipeline {
  declare nodeifiedPromise: boolean | undefined;

  constructor(redis: PipelineClient) {
    super(redis);
    inherited.multi.call(this);
  }

  exec(callback?: NodeCallback<never>): Promise<Result[] | null> {
    if (this._transactions > 0) void inherited.exec.call(this); // adds EXEC
    if (this.nodeifiedPromise) return inherited.exec.call(this);
    return asCallback(inherited.exec.call(this).then(unwrap), callback);
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
  return (replies as unknown[]).map((reply) => (reply instanceof Error ? [reply] : [null, reply]));
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
export function pipelineOf(client: object, commands?: unknown[][]): object {
  if (!canUseLeanPipeline || isTracing()) return pipeline.call(client, commands);
  return filled(new LeanPipeline(client as PipelineClient), commands);
}

/** Implements `client.multi(commands, options)`; both are optional. */
export function multiOf(client: object, ...given: unknown[]): object {
  const [commands, options] = Array.isArray(given[0]) ? given : [undefined, ...given];
  const alone = (options as { pipeline?: boolean } | undefined)?.pipeline === false;
  if (alone || !canUseLeanPipeline || isTracing()) return multi.apply(client, given);
  return filled(new LeanTransaction(client as PipelineClient), commands as unknown[][] | undefined);
}

function filled(made: LeanPipeline, commands: unknown[][] | undefined): object {
  if (commands) inherited.addBatch.call(made, commands);
  return made;
}
