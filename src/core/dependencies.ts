import type { Redis } from 'ioredis';
import type { ResolvedOptions } from '../api/options.ts';
import type { PoolStats } from '../api/stats.ts';
import type { Clock } from '../util/clock.ts';
import type { Events } from './events.ts';
import type { Permits } from './permits.ts';
import type { Total } from './total.ts';

/** The incoming bytes of a connection, for lanes and dedicated connections, which observe them. */
export interface Intake {
  /** Whether it reads before ioredis does. */
  readonly inFront: boolean;
  /** Whether a reply has begun and has not ended. */
  readonly midway: boolean;
  /** How many missing bytes are known of. */
  readonly scanner: { readonly due: number };
  /** If set, it is called with incoming bytes in place of `read`, which it has to call. */
  listener: ((chunk: Buffer) => void) | undefined;
  read(chunk: Buffer): void;
  /** If set, it is called with the item of ioredis' command queue and the error reply; with `true` it settles the command. */
  refused: ((item: object, error: Error) => boolean) | undefined;
}

/** One connection to Redis, from its dial until its socket is closed. It never reconnects. */
export interface Connection {
  /** The ioredis client. Present once `ready` has resolved. */
  readonly client: Redis;
  /** Resolves when commands may be sent; rejects with the real cause of a failed dial. */
  readonly ready: Promise<void>;
  /** The db that is selected when it is ready; a reset selects it again. */
  readonly db: number;
  /** The server's numbers of clients from INFO during the dial, if it was sent and permitted. */
  readonly clients?: { readonly connected?: number; readonly max?: number };
  /** `master` or `slave`: the role of its server during the dial, if INFO was sent and permitted. */
  readonly role?: string | undefined;
  /** The server has told that it is a node of a cluster. */
  readonly ofCluster?: boolean;
  /** Its first error, if any, without secrets. */
  readonly error?: Error | undefined;
  /** Whether a command sent now would reach the socket. */
  readonly alive: boolean;
  /** Replies that it still owes; once `ready` has resolved. */
  readonly pendingReplies: number;
  /** Its incoming bytes, if it has a socket; present once `ready` has resolved. */
  readonly intake?: Intake | undefined;
  /** Whether any bytes have arrived since it was ready; `undefined` if that is unknown. */
  readonly answered?: boolean | undefined;
  /** The names of its server, as `host:port`: the one that a sentinel gave, and its address. None without sentinels. */
  readonly places?: readonly string[] | undefined;
  /** Breaks the connection at once, as if it were lost because of `cause`. */
  cut(cause: Error): void;
  /** Closes the connection, in any state. Resolves, never rejects, when its socket is really closed. Idempotent. */
  close(): Promise<void>;
}

/** What a connection reports to the pool, and what it needs from the pool. */
export interface ConnectionOwner {
  /** The connection was lost after it was ready, without `close()`. Called once, with the reason if it is known. */
  lost(cause?: Error): void;
  /** Makes the error for a command whose reply will not come. */
  lostError(): Error;
  /**
   * It works, but is to be replaced: Redis refused a write with READONLY (`readOnly`), or the user's `reconnectOnError`
   * returned a truthy value (`asked`).
   */
  unwanted(why: 'readOnly' | 'asked'): void;
}

/** What becomes of a connection when Redis has moved. `stale`: it serves nobody any more; `cut`: nor who has it. */
export type Fate = 'keep' | 'stale' | 'cut';

/** Where Redis is, as sentinels say. */
export interface Whereabouts {
  /** They said something else before. */
  readonly changed: boolean;
  /** What becomes of a connection to a server with these names. */
  fateOf(places: readonly string[]): Fate;
  /** What those hear whose connections are cut. */
  readonly cause: Error;
}

/** What one who looks out for failovers wants to know of the pool, and tells it. */
export interface FailoverOwner {
  /** Whether the pool has connections, or has tried to have some of late. */
  isWanted(): boolean;
  /** Redis may have moved. */
  moved(whereabouts: Whereabouts): void;
}

/** Looks out for failovers, over a socket of its own that keeps no process alive. */
export interface FailoverWatch {
  /** How many sockets it has. */
  readonly sockets: number;
  /** Looks out from now on, for as long as it is wanted. */
  start(): void;
  /** Resolves when nothing of it is left. */
  stop(): Promise<void>;
}

/** I/O, time and randomness, which the pool's decisions depend on. Replaced in tests and by the mock. */
export interface Dependencies {
  readonly clock: Clock;
  /** Between 0 and 1, for jitter. */
  random(): number;
  /** Makes the permits, which count connections a second time. */
  permits(maxActive: number): Permits;
  /** Bounds the connections of several pools together, if this is one of several. */
  readonly total?: Total | undefined;
  /** Starts a dial. */
  connect(owner: ConnectionOwner): Connection;
  /** Sends PING over an idle connection; rejects if there is no reply within `timeoutMs`. */
  ping(connection: Connection, timeoutMs: number): Promise<void>;
  /** Makes the observer of failovers, if there are sentinels. */
  watchFailovers(owner: FailoverOwner): FailoverWatch | undefined;
  /** Makes what counts and tells what happens; for a pool that is one of several. */
  events?(options: Pick<ResolvedOptions, 'name' | 'hooks'>, stats: () => PoolStats): Events;
  /** Checks, over a new connection that is not lent yet, whether the server has room for the pool; warns if not. */
  checkMaxClients(connection: Connection): void;
}
