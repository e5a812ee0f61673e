import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Redis } from 'ioredis';
import type { Clock } from '../util/clock.ts';

/** How long the silent socket may take; a server that refuses a connection sends its error at once. Milliseconds. */
const GREETING_MS = 250;

/**
 * The error that a server sends on a new connection before it closes it, such as "ERR max number of clients reached",
 * or a TLS alert. ioredis writes first, the server responds with a reset, and the reset discards the text (measured:
 * ioredis reported it in none of 100 dials). So a second socket, in the same slot, reads it without writing anything;
 * only if the first one was closed without an error text.
 */
export async function realCause(
  seen: Error | undefined,
  client: Redis,
  clock: Clock,
  signal: AbortSignal,
): Promise<Error | undefined> {
  const wordless = seen ? isReset(seen) : client.status === 'end';
  if (!wordless || signal.aborted || client.options.sentinels || client.options.Connector) return undefined;
  // If the socket cannot even be made, as with an invalid key, the dial has failed before with that error.
  const greeting = await readGreeting(client, clock, signal).catch(() => undefined);
  if (greeting instanceof Error) return isReset(greeting) ? undefined : greeting;
  return greeting?.startsWith('-') ? new Error(greeting.slice(1).trimEnd(), { cause: seen }) : undefined;
}

function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' || error.code === 'ECONNRESET';
}

/** The first bytes that the server sends, or, over TLS, its alert. */
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
