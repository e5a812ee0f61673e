import type { ChildProcess } from 'node:child_process';

export interface StartOptions {
  /** What to start; default: what `findServer()` finds. */
  readonly binary?: string | undefined;
  /** Further arguments; they win over ours. */
  readonly args?: readonly string[] | undefined;
  /** A certain port instead of a free one, as for a restart. */
  readonly port?: number | undefined;
  /** Lines of configuration: it is to be a sentinel. */
  readonly sentinel?: readonly string[] | undefined;
  /** How long the server may take until it accepts connections. Milliseconds; default 10 000. */
  readonly readyMs?: number | undefined;
  /** Ctrl-C on the terminal does not end it; we still do. */
  readonly detached?: boolean | undefined;
}

export interface RunningServer {
  readonly port: number;
  readonly pid: number;
  readonly url: string;
  /** What `--tls-port` in the arguments says. */
  readonly tlsPort: number | undefined;
  readonly process: ChildProcess;
  /** All it has printed. */
  log(): string;
  /** Kills it and resolves when it and its directory are gone. */
  stop(): Promise<void>;
}

/** Where a Redis or Valkey server is installed, if there is one. */
export function findServer(): string | undefined;
/** Installs redis-server, or throws an Error whose one sentence says what to do. */
export function installServer(): Promise<string>;
/** A loopback port that nobody listens on now. */
export function freePort(): Promise<number>;
/** Starts a server of your own; resolves when it accepts connections. */
export function startServer(options?: StartOptions): Promise<RunningServer>;
