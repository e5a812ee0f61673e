import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Redis } from 'ioredis';
import type { Clock } from '../util/clock.ts';

/** How long the silent socket may take; a server that refuses says so at once. */
const GREETING_MS = 250;

/**
 * The error that a server greets a connection with before it closes it, such as "ERR max number of clients
 * reached", or a TLS alert. ioredis speaks first, the answer to that is a reset, and the reset wipes the text out
 * (measured: ioredis told it in none of 100 dials). So a second socket, silent and in the same slot, reads it;
 * only when the first one was closed without a word.
 */
export async function realCause(
  seen: Error | undefined,
  client: Redis,
  clock: Clock,
  signal: AbortSignal,
): Promise<Error | undefined> {
  const wordless = seen ? isReset(seen) : client.status === 'end';
  if (!wordless || signal.aborted || client.options.sentinels || client.options.Connector) return undefined;
  // What cannot even be tried, as with a key that is none, has failed before, and was told then.
  const greeting = await readGreeting(client, clock, signal).catch(() => undefined);
  if (greeting instanceof Error) return isReset(greeting) ? undefined : greeting;
  return greeting?.startsWith('-') ? new Error(greeting.slice(1).trimEnd(), { cause: seen }) : undefined;
}

function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' || error.code === 'ECONNRESET';
}

/** What the server says first, or, over TLS, how it refuses. */
function readGreeting(client: Redis, clock: Clock, signal: AbortSignal): Promise<string | Error | undefined> {
  return new Promise((resolve) => {
    const socket = silentSocket(client);
    const cancel = clock.after(GREETING_MS, () => socket.destroy());
    const abandon = (): void => void socket.destroy();
    signal.addEventListener('abort', abandon, { once: true });
    let greeting: string | Error | undefined;
    socket.once('data', (data) => {
      greeting = data.toString();
      socket.end();
    });
    socket.once('error', (error) => {
      greeting ??= error;
    });
    socket.once('close', () => {
      cancel();
      signal.removeEventListener('abort', abandon);
      resolve(greeting);
    });
  });
}

function silentSocket({ options }: Redis): Socket {
  const { path, host = 'localhost', port = 6379, tls } = options;
  const target = path ? { path } : { host, port };
  return tls ? connectTls({ ...target, ...(tls as object) }) : connectTcp(target);
}
