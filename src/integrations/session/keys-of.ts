import type { Redis } from 'ioredis';

/**
 * The keys that match `pattern`, a page at a time; some may come twice, as Redis says of SCAN. `type` is what they
 * hold, `from` a cursor. Over a client with a `keyPrefix`, keys are named without it, as in its other commands.
 */
export async function* keysOf(
  redis: Redis,
  pattern: string,
  count: number,
  { type, from = '0' }: { readonly type?: string | undefined; readonly from?: string | undefined } = {},
): AsyncGenerator<string[]> {
  const before = redis.options.keyPrefix ?? '';
  const match = escapeGlob(before) + pattern;
  let cursor = from;
  do {
    const [next, keys] = await (type === undefined
      ? redis.scan(cursor, 'MATCH', match, 'COUNT', count)
      : redis.scan(cursor, 'MATCH', match, 'COUNT', count, 'TYPE', type));
    cursor = next;
    yield keys.map((key) => key.slice(before.length));
  } while (cursor !== '0');
}

/** A text as a pattern that only it matches. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&');
}
