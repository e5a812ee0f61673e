import { inspect } from 'node:util';
import { invalidOption } from './errors.ts';

/** The known name with the smallest edit distance, if that is small enough for a typing error. */
function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(2, Math.floor(name.length / 2)) + 1;
  for (const candidate of known) {
    const edits = distance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < fewest) [best, fewest] = [candidate, edits];
  }
  return best;
}

/** Levenshtein's edit distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/**
 * Recognises a name from another library; returns what the error says after it. `all` are all names that were given.
 */
type Words = (name: string, all: readonly string[]) => string | undefined;

/** Throws `POOL_INVALID_OPTION` for a name that is not `known`, with the name that was probably meant. */
export function checkKeys(what: string, given: object, known: readonly string[], words?: Words): void {
  if (typeof given !== 'object' || given === null) {
    throw invalidOption(`${what.replace(/^\w+/, '$&s')} must be an object, got ${inspect(given)}`);
  }
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    const spelt = meant?.toLowerCase() === name.toLowerCase();
    const hint = meant ? `, did you mean \`${meant}\`?` : `; known are ${known.join(', ')}`;
    throw invalidOption(
      `unknown ${what} \`${name}\`${(!spelt && words?.(name, Object.keys(given))) || hint}`,
    );
  }
}
