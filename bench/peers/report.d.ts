import type { Results } from './results.js';

/** What the files of the report are to be, by name. */
export function reportOf(results: Results): Record<string, string>;
