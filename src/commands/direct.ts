import { channel } from 'node:diagnostics_channel';
import type { Redis } from 'ioredis';

/** Takes the bytes that have come. */
export type Decoder = (chunk: Buffer) => void;

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

/** Puts `listener` in the place of ioredis' own decoder, which is returned; behind it, where that cannot be. */
export function takeDecoder(client: Redis, listener: Decoder): Decoder | undefined {
  const { stream, options } = client;
  if (stream === undefined) return undefined;
  const listeners = stream.listeners('data') as Decoder[];
  const [decoder] = listeners;
  const { stringNumbers, replyMapping } = options as { stringNumbers?: boolean; replyMapping?: string };
  if (decoder === undefined || listeners.length > 1 || stringNumbers || replyMapping === 'resp3') {
    stream.on('data', listener);
    return undefined;
  }
  stream.off('data', decoder);
  stream.prependListener('data', listener);
  return decoder;
}

/** Whether ioredis' sendCommand is its own, and has nothing to do besides. */
export function isPlain({ sendCommand, options }: Redis): boolean {
  const own = String(sendCommand).includes('commandQueue.push'); // neither a subclass' nor an instrumentation's
  const { commandTimeout, socketTimeout, himportFieldsets } = options as Redis['options'] & {
    himportFieldsets?: unknown;
  };
  const debug = /ioredis|\*/.test(process.env['DEBUG'] ?? '');
  return own && !debug && commandTimeout === undefined && socketTimeout === undefined && !himportFieldsets;
}
