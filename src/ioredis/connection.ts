import { AsyncResource } from 'node:async_hooks';
import { inspect } from 'node:util';
import type { Redis } from 'ioredis';
import type { ClientOptions, ResolvedOptions } from '../api/options.ts';
import { FOR_CLUSTERS } from '../api/other-words.ts';
import { copyPlain } from '../api/plain.ts';
import type { Connection, ConnectionOwner, Dependencies } from '../core/dependencies.ts';
import { genericPoolPermits } from '../core/generic-pool.ts';
import { type Clock, systemClock, within } from '../util/clock.ts';
import { warn } from '../util/warn.ts';
import { adoptClient, discardClient } from './client-options.ts';
import { type ReconnectOnError, saysReadOnly, wantsAnother } from './error-replies.ts';
import { dropSent, rejectSafely, tellsOfStray, whyForeign } from './internals.ts';
import { checkMaxClientsOnce } from './maxclients.ts';
import { ping } from './ping.ts';
import { inOurOwnWords, withoutSecrets } from './redact.ts';
import { ReplyIntake } from './reply-intake.ts';
import { SentinelWatcher } from './sentinel-watcher.ts';
import { SentinelOrder, SentinelWatch } from './sentinels.ts';
import { realCause } from './server-greeting.ts';

/** How long a closing socket waits for the server's FIN. Milliseconds. */
const FIN_MS = 500;

/** How long a function of the user may take where the dial has no deadline. Milliseconds. */
const LONGEST_OWN_MS = 10_000;

/** Longer than a searched field of INFO with its value. */
const LONGEST_FIELD = 40;

type Settings = Pick<ResolvedOptions, 'createClient' | 'onConnect' | 'connectTimeoutMs'>;

/** The async context in which this library was loaded. */
const poolsContext = new AsyncResource('RedisPool');

/**
 * Runs work that belongs to the pool and to no caller: a connection outlives the caller that needed it first, so its
 * commands must not appear in that caller's trace, and its socket must not retain that caller's async context.
 */
export function outside<T>(work: () => T): T {
  return poolsContext.runInAsyncScope(work);
}

/** What a pool works with unless it is given something else. `redis` are the options of every client. */
export function defaultDependencies(
  options: ResolvedOptions,
  redis: ClientOptions,
  clock: Clock = systemClock,
  /** The pool is that of one node of a cluster. */
  ofNode = false,
): Dependencies {
  const lookOnce = checkMaxClientsOnce(options, redis.connectionName ?? options.name);
  const lookForCluster = ofNode ? () => {} : checkForClusterOnce(options);
  const { sentinels, Connector } = redis;
  const order = sentinels?.length && !Connector ? new SentinelOrder(sentinels) : undefined;
  return {
    clock,
    random: Math.random,
    permits: genericPoolPermits,
    connect: (owner) => outside(() => new RedisConnection(copyPlain(redis), options, owner, clock, order)),
    ping: (connection, timeoutMs) => outside(() => ping(connection, timeoutMs, clock)),
    watchFailovers: (owner) =>
      order && new SentinelWatcher(redis, order, owner, { clock, random: Math.random, outside }),
    checkMaxClients: (connection) => {
      lookForCluster(connection);
      outside(() => lookOnce(connection));
    },
  };
}

/** Makes what warns, once, if the first connection has led to a node of a cluster. */
function checkForClusterOnce({ name }: { name: string }) {
  let done = false;
  return ({ ofCluster }: Connection): void => {
    if (ofCluster && !done) {
      warn(
        `pool ${name}: the server is a node of a cluster, and refuses keys of the others: ${FOR_CLUSTERS}`,
      );
    }
    done = true;
  };
}

/** A connection over ioredis. It never reconnects, and reports the real reason of a failure. */
class RedisConnection implements Connection {
  readonly ready: Promise<void>;
  db = 0;
  readonly clients: { connected?: number; max?: number } = {};
  ofCluster = false;
  readonly #clock: Clock;
  readonly #settings: Settings;
  readonly #owner: ConnectionOwner;
  readonly #order: SentinelOrder | undefined;
  #client: Redis | undefined;
  #intake: ReplyIntake | undefined;
  #sentinels: SentinelWatch | undefined;
  /** The first error that the client emitted, which ioredis' own "Connection is closed." hides. */
  #error: Error | undefined;
  /** What the dial waits for; for the error if it takes too long. */
  #awaited = 'createClient did not return a client';
  #loading = false;
  /** The role of the server, from INFO. */
  role: string | undefined;
  /** Bytes that had arrived when it was ready; not every stream counts them. */
  #readBefore: number | undefined;
  /** Aborted when the dial has failed or the connection is closed. */
  readonly #over = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(
    options: ClientOptions,
    settings: Settings,
    owner: ConnectionOwner,
    clock: Clock,
    order: SentinelOrder | undefined,
  ) {
    this.#clock = clock;
    this.#settings = settings;
    this.#owner = owner;
    this.#order = order;
    this.ready = this.#dial(options);
  }

  get client(): Redis {
    if (!this.#client) throw new Error('bug: the connection has no client yet');
    return this.#client;
  }

  get error(): Error | undefined {
    return this.#error;
  }

  get alive(): boolean {
    const client = this.#client;
    // Between the server's FIN and the end of the socket the status is still `ready`.
    return client !== undefined && client.status === 'ready' && client.stream.writable;
  }

  get pendingReplies(): number {
    return this.client.commandQueue.length;
  }

  get intake(): ReplyIntake | undefined {
    return this.#intake;
  }

  get places(): readonly string[] | undefined {
    return this.#sentinels?.places;
  }

  get answered(): boolean | undefined {
    const bytesRead = this.#client?.stream?.bytesRead;
    return bytesRead === undefined || this.#readBefore === undefined
      ? undefined
      : bytesRead - (this.#intake?.spoilt ?? 0) > this.#readBefore;
  }

  cut(cause: Error): void {
    this.#break(inOurOwnWords(cause));
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #dial(options: ClientOptions): Promise<void> {
    const { connectTimeoutMs } = this.#settings;
    const { signal } = this.#over;
    try {
      await within(this.#clock, connectTimeoutMs, this.#connect(options), signal, () =>
        this.#tooLate(connectTimeoutMs),
      );
    } catch (error) {
      const text = this.#client && (await realCause(this.#error, this.#client, this.#clock, signal));
      const cause = text ?? this.#error ?? error;
      this.#over.abort(cause);
      const told = cause instanceof Error ? cause : new Error(`the connect failed: ${inspect(cause)}`);
      throw withoutSecrets(told, options, this.#client?.options);
    }
  }

  async #connect(options: ClientOptions): Promise<void> {
    const { createClient, onConnect, connectTimeoutMs } = this.#settings;
    const { signal } = this.#over;
    const given = this.#order?.apply(options) ?? { ...options };
    const client = await this.#own(createClient(given, { signal }));
    if (signal.aborted) return discardClient(client);
    const reconnectOnError = client?.options?.reconnectOnError ?? options.reconnectOnError;
    adoptClient(client, options, connectTimeoutMs);
    this.#awaited = 'the server did not answer';
    this.#client = client;
    const clean = (error: Error): Error => withoutSecrets(error, options, client.options);
    const { sentinels, Connector } = client.options;
    if (sentinels?.length && !Connector) {
      this.#sentinels = new SentinelWatch(client, this.#order, clean);
    }
    client.on('error', (error: Error) => {
      const stray = tellsOfStray(error);
      this.#error ??= clean(error);
      if (stray) this.#intake?.fail(error);
    });
    client.once('connect', () => {
      const foreign = whyForeign(client);
      if (foreign) {
        dropSent(client);
        return this.#break(foreign);
      }
      this.#intake = new ReplyIntake(client, (cause) => this.#break(cause));
      this.#watchInfo(client);
    });
    await client.connect().catch(() => {
      const why = this.#sentinels?.blamed;
      if (why) this.#error = inOurOwnWords(new Error(why, { cause: this.#error }));
      throw this.#error ?? inOurOwnWords(new Error('the server closed the connection before it was ready'));
    });
    // An error before `ready` is a failure, although ioredis goes on: for example with the wrong db.
    if (this.#error) throw this.#error;
    this.#awaited = 'onConnect did not end';
    await this.#own(onConnect?.(client, { signal }));
    if (!this.alive) throw this.#error ?? inOurOwnWords(new Error('the server closed the connection'));
    this.db = client.condition?.select ?? client.options.db ?? 0; // onConnect may have selected another
    this.#watchLoss(client);
    this.#watchErrors(client, reconnectOnError);
  }

  /** Waits for a function of the user, with a deadline even where the dial has none. */
  async #own<T>(work: T | PromiseLike<T>): Promise<T> {
    if (Number.isFinite(this.#settings.connectTimeoutMs)) return work;
    const late = (): void => this.#over.abort(this.#tooLate(LONGEST_OWN_MS));
    const cancel = this.#clock.after(LONGEST_OWN_MS, late);
    this.#over.signal.addEventListener('abort', cancel, { once: true });
    return Promise.resolve(work).finally(cancel);
  }

  /**
   * Reads the replies to INFO: ioredis repeats it silently while Redis loads its data, and keeps the rest to itself.
   */
  #watchInfo(client: Redis): void {
    let tail = '';
    const look = (data: Buffer): void => {
      tail += data.toString('latin1'); // the reply may arrive in pieces
      for (const [, field, number] of tail.matchAll(
        /\b(loading|connected_clients|maxclients|role|redis_mode):(\w+)\r/g,
      )) {
        if (field === 'role') this.role = number;
        else if (field === 'redis_mode') this.ofCluster = number === 'cluster';
        else if (field === 'loading') this.#loading = number === '1';
        else if (field === 'maxclients') this.clients.max = Number(number);
        else this.clients.connected = Number(number);
      }
      tail = tail.slice(-LONGEST_FIELD);
    };
    client.stream?.on('data', look);
    client.once('ready', () => client.stream.off('data', look));
  }

  #watchLoss(client: Redis): void {
    this.#readBefore = client.stream.bytesRead;
    // Runs before ioredis' own handler, which rejects with "Connection is closed." and no code.
    client.stream.prependListener('close', () => {
      if (this.#closed === undefined) this.#owner.lost(this.#error);
      this.#rejectUnanswered(client);
    });
  }

  /** Looks at every error reply, with the option that ioredis calls before it rejects the command. */
  #watchErrors(client: Redis, theirs: ReconnectOnError | null | undefined): void {
    const { options } = client;
    const replica = options.readOnly || options.role === 'slave';
    const look = (error: Error): false => {
      if (!replica && saysReadOnly(error)) this.#owner.unwanted('readOnly');
      if (theirs && wantsAnother(theirs, error)) this.#owner.unwanted('asked');
      return false;
    };
    options.reconnectOnError = look;
    if (this.#intake) this.#intake.told = look;
  }

  #rejectUnanswered(client: Redis): void {
    const { commandQueue } = client;
    for (let item = commandQueue.shift(); item; item = commandQueue.shift()) {
      rejectSafely(item.command, this.#owner.lostError());
    }
  }

  /** Marks the connection as lost, whatever may still arrive. */
  #break(cause: Error): void {
    this.#error = withoutSecrets(cause, this.#client?.options);
    if (this.#client?.stream) this.#client.stream.destroy();
    else this.#client?.disconnect();
  }

  #tooLate(limitMs: number): Error {
    const loading = this.#loading ? 'LOADING Redis is loading the dataset in memory' : undefined;
    const why = loading ?? this.#sentinels?.blamed ?? this.#awaited;
    const error = inOurOwnWords(new Error(`not ready within ${limitMs} ms: ${why}`));
    return Object.assign(error, { code: 'ETIMEDOUT' });
  }

  /** Waits only briefly: a socket that does not end by itself is destroyed. */
  async #end(): Promise<void> {
    const connected = this.#readBefore !== undefined;
    this.#over.abort(connected ? undefined : inOurOwnWords(new Error('the connection was closed')));
    this.#intake?.close();
    const client = this.#client;
    this.#sentinels?.end();
    if (!client || client.status === 'wait' || client.status === 'end') return;
    const ended = this.#ended(client);
    const connecting = client.status === 'connecting';
    try {
      // ioredis would start a timer that the end of the socket stops, which has come already.
      if (!client.stream?.closed) client.disconnect();
    } catch {
      client.stream?.destroy(); // a user's subclass threw; its socket has to be closed all the same
    }
    if (connecting && client.stream) client.stream.destroy();
    else if (connecting) refuseStream(client);
    await ended;
  }

  /** Resolves when ioredis emits `end`, and in any case shortly after the socket is destroyed. */
  #ended(client: Redis): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(FIN_MS, () => {
        client.stream?.destroy();
        // The events of a destroyed socket come a turn later; those of another kind of stream may never come.
        this.#clock.soon(() => this.#clock.soon(resolve));
      });
      client.once('end', () => {
        cancel();
        resolve();
      });
    });
  }
}

/** Destroys a socket that a connector may still deliver, before ioredis writes to it. */
function refuseStream(client: Redis): void {
  let stream: Redis['stream'] | undefined;
  Object.defineProperty(client, 'stream', {
    configurable: true,
    get: () => stream,
    set(late: Redis['stream'] | undefined) {
      stream = late;
      late?.on('error', () => {}).destroy();
    },
  });
}
