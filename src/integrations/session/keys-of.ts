import type { Redis } from 'ioredis';

/**
 * The keys that match `pattern`, a page at a time; as with SCAN, a key may come twice. `type` is the type of their
 * values, `from` a cursor. If the client has a `keyPrefix`, keys are returned without it, as its other commands take
 * them.
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

/** A pattern that matches `text` only. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&');
}
