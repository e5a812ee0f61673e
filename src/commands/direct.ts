import { channel } from 'node:diagnostics_channel';
import type { Redis } from 'ioredis';
import { sendsAsKnown } from '../redis/internals.ts';

/** ioredis' own tracing. With a subscriber, commands go the long way, which is traced. */
const TRACING = ['command', 'batch'].flatMap((what) =>
  ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((step) =>
    channel(`tracing:ioredis:${what}:${step}`),
  ),
);

/** Whether somebody listens to ioredis' tracing of commands, or of transactions. */
export function isTracing(): boolean {
  return TRACING.some((one) => one.hasSubscribers);
}

/** Whether ioredis' sendCommand is its own, and has nothing to do besides. */
export function isPlain(client: Redis): boolean {
  const { commandTimeout, socketTimeout, himportFieldsets } = client.options as Redis['options'] & {
    himportFieldsets?: unknown;
  };
  const debug = /ioredis|\*/.test(process.env['DEBUG'] ?? '');
  const busy = commandTimeout !== undefined || socketTimeout !== undefined || !!himportFieldsets;
  return sendsAsKnown(client) && !debug && !busy;
}
