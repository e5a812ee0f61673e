import type { Redis } from 'ioredis';

/**
 * The keys that match `pattern`, a page at a time; some may come twice, as Redis says of SCAN. Over a client with
 * a `keyPrefix`, keys are named without it, as in its other commands.
 */
export async function* keysOf(redis: Redis, pattern: string, count: number): AsyncGenerator<string[]> {
  const before = redis.options.keyPrefix ?? '';
  const match = escapeGlob(before) + pattern;
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', match, 'COUNT', count);
    cursor = next;
    yield keys.map((key) => key.slice(before.length));
  } while (cursor !== '0');
}

/** A text as a pattern that only it matches. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&');
}
