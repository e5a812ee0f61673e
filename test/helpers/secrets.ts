import { inspect } from 'node:util';
import { expect } from 'vitest';

/** As loggers do, and more thoroughly than any of them. */
export function expectNoSecret(things: readonly unknown[], secret: string): void {
  expect(things.length).toBeGreaterThan(0);
  for (const thing of things) {
    for (const text of [
      inspect(thing, { depth: 10, showHidden: true, getters: true, maxStringLength: Infinity }),
      JSON.stringify(thing) ?? '',
      String(thing),
      ...errorsWithin(thing).flatMap((error) => [
        error.stack ?? '',
        JSON.stringify({ ...error }),
        error.message,
      ]),
    ]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(encodeURIComponent(secret));
    }
  }
}

function errorsWithin(thing: unknown): Error[] {
  if (!(thing instanceof Error)) {
    const inner = typeof thing === 'object' && thing !== null && 'error' in thing ? thing.error : undefined;
    return inner instanceof Error ? errorsWithin(inner) : [];
  }
  const more = [thing.cause, ...(thing instanceof AggregateError ? thing.errors : [])];
  return [thing, ...more.flatMap(errorsWithin)];
}
