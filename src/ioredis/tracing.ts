import { channel } from 'node:diagnostics_channel';
import { Redis } from 'ioredis';
import { sendsAsKnown } from './internals.ts';

const channelOf = (what: string, step: string) => channel(`tracing:ioredis:${what}:${step}`);
const STEPS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
/** ioredis' own tracing. With a subscriber, commands go the long way, which is traced. */
const TRACING = ['command', 'batch'].flatMap((what) => STEPS.map((step) => channelOf(what, step)));
// Those of commands have names of their own: to look into constants costs next to nothing.
const start = channelOf('command', 'start');
const end = channelOf('command', 'end');
const asyncStart = channelOf('command', 'asyncStart');
const asyncEnd = channelOf('command', 'asyncEnd');
const failed = channelOf('command', 'error');

/** Whether somebody listens to ioredis' tracing of commands, or of transactions. */
export function isTracing(): boolean {
  return TRACING.some((one) => one.hasSubscribers);
}

/** Whether somebody listens to ioredis' tracing of commands. Asked for each of them. */
export function areCommandsTraced(): boolean {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    failed.hasSubscribers
  );
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
