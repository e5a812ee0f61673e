import { type Command, Pipeline, Redis, type RedisOptions } from 'ioredis';
import { asCallback, type NodeCallback } from '../util/callback.ts';
import { isTracing } from './watched-command.ts';

/** What a pipeline looks at on its client. */
interface PipelineClient {
  readonly options: RedisOptions;
  readonly scriptsSet: Readonly<Record<string, object>>;
  readonly addedBuiltinSet: ReadonlySet<string>;
}

/** As ioredis answers for one command: its error, or `null` and its reply. */
type Result = [error: Error | null, reply?: unknown];
type Exec = (callback?: NodeCallback<never>) => Promise<Result[]>;
/** What is built upon; ioredis' own types vary from one major to the next. */
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
 * An ioredis Pipeline to all who look, made without its constructor. That defines `length` on each pipeline, with a
 * getter of its own; V8 makes a hidden class for each, and so keeps it, with all its commands and replies, until the
 * next full garbage collection. In a service with many pipelines that is a third of the time.
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

/** The same for what ioredis' `multi()` makes: its `exec` answers with the replies to what stands between. */
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

/** The reply to EXEC, as a pipeline has its results. */
function unwrap(results: Result[]): Result[] | null {
  const last = results.at(-1);
  if (last === undefined) throw new Error('exec() was called already: this transaction has no commands left');
  const [error, replies] = last;
  if (error) {
    const previousErrors = results.slice(0, -1).flatMap(([one]) => one ?? []);
    throw Object.assign(error, { previousErrors });
  }
  if (!replies) return null; // what was watched has changed
  return (replies as unknown[]).map((reply) => (reply instanceof Error ? [reply] : [null, reply]));
}

/** Whether this ioredis' pipelines are made as this file expects it. If not, its own have to do. */
export const canUseLeanPipeline = ((): boolean => {
  const client = { options: {}, scriptsSet: {}, addedBuiltinSet: new Set<string>(), isCluster: false };
  const methods = [inherited.exec, inherited.execBuffer, inherited.multi, inherited.addBatch];
  try {
    const theirs = Object.keys(new Pipeline(client as never));
    const ours = Object.keys(new LeanPipeline(client));
    return String(theirs.sort()) === String(ours.sort()) && methods.every((one) => typeof one === 'function');
  } catch {
    return false; // it looks for something else on its client
  }
})();

/** What `client.pipeline(commands)` returns. */
export function pipelineOf(client: object, commands?: unknown[][]): object {
  if (!canUseLeanPipeline || isTracing()) return pipeline.call(client, commands);
  return filled(new LeanPipeline(client as PipelineClient), commands);
}

/** What `client.multi(commands, options)` returns, whichever of both are given. */
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
