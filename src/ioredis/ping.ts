import { ReplyError } from 'ioredis';
import type { Connection } from '../core/dependencies.ts';
import { type Clock, within } from '../util/clock.ts';

/** Sends PING; rejects if there is no reply within `timeoutMs`. An error reply, such as NOPERM, is a reply too. */
export function ping({ client }: Connection, timeoutMs: number, clock: Clock): Promise<void> {
  const answered = client.ping().catch((error: unknown) => {
    if (!(error instanceof ReplyError)) throw error;
  });
  return within(clock, timeoutMs, answered);
}
