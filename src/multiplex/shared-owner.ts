import type { Command } from 'ioredis';
import type { PoolErrors } from '../core/pool-errors.ts';
import type { CommandGroup } from './command-group.ts';

/** What `pool.redis` needs of its pool. */
export interface Backend {
  /** Sends a command that may share a connection. */
  send(command: Command): void;
  /** Sends a command over a connection of its own. */
  sendAlone(command: Command): void;
  /** Sends a group. Its commands are added in the same go, and `added` is told of each. */
  sendGroup(group: CommandGroup): void;
  added(group: CommandGroup): void;
  readonly errors: Pick<PoolErrors, 'make'>;
  /** There is but one connection, which a command that blocks must not have for itself. */
  readonly single: boolean;
  /** What its connections do with commands may not be what ioredis does. */
  readonly watched: boolean;
  readonly status: 'ready' | 'connecting' | 'end';
  ready(): Promise<void>;
  /** Someone listens for a connection: has one dialled, again and again until it is open. */
  warm(): void;
  /** Ends the pool: as soon as it is idle, or now. */
  quit(): Promise<void>;
  disconnect(): void;
  /** Has `view` told of the pool's connections, as long as somebody holds it; returns what ends that. */
  attach(view: ClientView): () => void;
  /** Holds `view` while somebody listens on it, or lets go of it. */
  hold(view: ClientView, listened: boolean): void;
}

/** What a view is told. */
export interface ClientView {
  /** A connection is open. */
  connected(): void;
  /** A dial failed. */
  failed(error: Error): void;
  /** Nobody can connect any more, though the dials do not fail: what they make dies. */
  down(): void;
  /** The pool is closed. */
  ended(): void;
}
