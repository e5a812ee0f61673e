import type { Command } from 'ioredis';

/** Shorter text is taken by its length: what is not Latin weighs up to three times that. */
const LONG = 256;

/** What the arguments of a command weigh, give or take what is short. */
export function bytesOf({ args }: Command): number {
  let bytes = 0;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string | Buffer | undefined;
    if (typeof arg === 'string') bytes += arg.length < LONG ? arg.length : Buffer.byteLength(arg);
    else bytes += arg?.length ?? 0; // there are some that cannot be sent
  }
  return bytes;
}
