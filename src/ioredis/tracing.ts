import { channel } from 'node:diagnostics_channel';
import { Redis } from 'ioredis';
import { sendsAsKnown } from './internals.ts';

/** ioredis' own tracing. With a subscriber, commands go the long way, which is traced. */
const channelsOf = (what: string) =>
  ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((step) =>
    channel(`tracing:ioredis:${what}:${step}`),
  );
const COMMANDS = channelsOf('command');
const TRACING = [...COMMANDS, ...channelsOf('batch')];

/** Whether somebody listens to ioredis' tracing of commands, or of transactions. */
export function isTracing(): boolean {
  return TRACING.some((one) => one.hasSubscribers);
}

/** Whether somebody listens to ioredis' tracing of commands. Asked for each of them. */
export function areCommandsTraced(): boolean {
  for (const one of COMMANDS) if (one.hasSubscribers) return true;
  return false;
}

/** Whether this client has a sendCommand that is not that of all. */
export function isWrapped(client: Redis): boolean {
  return client.sendCommand !== Redis.prototype.sendCommand && !sendsAsKnown(client);
}

/** Whether the options of a client give its sendCommand nothing to do besides. */
export function hasPlainOptions({ options }: Redis): boolean {
  const { commandTimeout, socketTimeout, himportFieldsets } = options as Redis['options'] & {
    himportFieldsets?: unknown;
  };
  const debug = /ioredis|\*/.test(process.env['DEBUG'] ?? '');
  const busy = commandTimeout !== undefined || socketTimeout !== undefined || !!himportFieldsets;
  return !debug && !busy;
}
