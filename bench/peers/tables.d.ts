import type { Results } from './results.js';

export interface Column {
  readonly id: string;
  readonly title: string;
  readonly what: { readonly key: string; readonly scale?: number; readonly more?: boolean };
  readonly second?: { readonly key: string };
}
export const CLIENT: Column['what'];
export const SERVER: Column['what'];
export const RATE: Column['what'];
export function byContender(results: Results, columns: readonly Column[], names: readonly string[]): string;
