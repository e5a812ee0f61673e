import type { Redis } from 'ioredis';
import type { LeaseMessage } from '../redis-pool.ts';

/** From here on the socket is paused, and Redis keeps the messages, until half of them are read. */
const MOST_UNREAD = 1000;

/**
 * The messages that `redis` is subscribed to, from now on. Ends when the lease ends; throws the reason when
 * `signal` is aborted, and what `lost` makes when the connection dies.
 */
export function messagesOf(
  redis: Redis,
  signal: AbortSignal | undefined,
  lost: () => Error,
): AsyncIterableIterator<LeaseMessage> {
  const unread: LeaseMessage[] = [];
  let wake = (): void => {};
  let over: { error?: unknown } | undefined;

  const take = (message: LeaseMessage): void => {
    unread.push(message);
    if (unread.length >= MOST_UNREAD) redis.stream?.pause();
    wake();
  };
  const listeners = {
    message: (channel: string, message: string) => take({ kind: 'message', channel, message }),
    smessage: (channel: string, message: string) => take({ kind: 'smessage', channel, message }),
    pmessage: (pattern: string, channel: string, message: string) =>
      take({ kind: 'pmessage', pattern, channel, message }),
    end: () => stop({}),
    close: () => stop({ error: lost() }),
  };
  const abort = (): void => stop({ error: signal?.reason });
  const stop = (how: { error?: unknown }): void => {
    if (over) return;
    over = how;
    for (const [event, listener] of Object.entries(listeners)) redis.off(event, listener as () => void);
    signal?.removeEventListener('abort', abort);
    redis.stream?.resume();
    wake();
  };
  for (const [event, listener] of Object.entries(listeners)) redis.on(event, listener as () => void);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });

  async function* read(): AsyncGenerator<LeaseMessage> {
    try {
      while (true) {
        for (let message = unread.shift(); message; message = unread.shift()) {
          if (unread.length === MOST_UNREAD / 2) redis.stream?.resume();
          yield message;
        }
        if (over) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      stop({});
    }
    if (over && 'error' in over) throw over.error;
  }
  return read();
}
