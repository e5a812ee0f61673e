import type { Redis } from 'ioredis';
import type { Clock } from '../util/clock.ts';
import type { Permits } from './permits.ts';

/** What comes over a connection, for those who take part in reading it. */
export interface Intake {
  /** It reads before ioredis does. */
  readonly inFront: boolean;
  /** A message has begun, and not ended yet. */
  readonly midway: boolean;
  /** How many bytes are known to be still to come. */
  readonly scanner: { readonly due: number };
  /** Is given what comes instead, and reads it when it has looked at it. */
  listener: ((chunk: Buffer) => void) | undefined;
  read(chunk: Buffer): void;
}

/** One connection to Redis, from its dial to the last byte of its socket. It dies rather than heals. */
export interface Connection {
  /** The ioredis client. Present once `ready` has resolved. */
  readonly client: Redis;
  /** Resolves when commands may be sent; rejects with the real cause of a failed dial. */
  readonly ready: Promise<void>;
  /** The db it is on when it is ready; a borrower leaves it there. */
  readonly db: number;
  /** What INFO said of the server's clients during the dial, as far as it was asked and allowed. */
  readonly clients?: { readonly connected?: number; readonly max?: number };
  /** The first error that it had, if any, without secrets. */
  readonly error?: Error | undefined;
  /** Whether a command sent now would reach the socket. */
  readonly alive: boolean;
  /** Replies that it still owes; once `ready` has resolved. */
  readonly pendingReplies: number;
  /** What comes over it, where there is a socket; once `ready` has resolved. */
  readonly intake?: Intake | undefined;
  /** Whether anything has come from the server since it was ready; `undefined` where that is not known. */
  readonly answered?: boolean | undefined;
  /** Ends the connection, at any stage. Resolves, never rejects, when its socket is really gone. Idempotent. */
  close(): Promise<void>;
}

/** What the pool wants to know of a connection, and what a connection needs to know of the pool. */
export interface ConnectionOwner {
  /** The connection died on its own, after it was ready. Called once, with the reason if one is known. */
  lost(cause?: Error): void;
  /** Makes the error for a command whose reply will not come. */
  lostError(): Error;
}

/** Everything the pool does that is not a decision: I/O, time, chance. Replaced in tests and by the mock. */
export interface Dependencies {
  readonly clock: Clock;
  /** Between 0 and 1, for jitter. */
  random(): number;
  /** Makes the engine that bounds the number of connections. */
  permits(maxActive: number): Permits;
  /** Starts a dial. */
  connect(owner: ConnectionOwner): Connection;
  /** Asks an idle connection whether it is alive; rejects if there is no answer within `timeoutMs`. */
  ping(connection: Connection, timeoutMs: number): Promise<void>;
  /** Looks, over a new connection that nobody has yet, whether the server has room for the pool; warns if not. */
  checkMaxClients(connection: Connection): void;
}
