import { type Clock, within } from '../clock.ts';
import type { Connection } from '../hands.ts';

/** Sends PING; rejects if it fails, or if no answer came within `timeoutMs`. */
export function check(connection: Connection, timeoutMs: number, clock: Clock): Promise<void> {
  return within(clock, timeoutMs, connection.client.ping());
}
