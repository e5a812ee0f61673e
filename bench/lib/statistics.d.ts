export interface Spread {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}
export function quantile(sorted: readonly number[], q: number): number;
export function summary(values: readonly number[]): Spread;
export function median(values: readonly number[]): number;
export function spread(values: readonly number[], unit?: string): string;
export function settled(windows: readonly number[]): boolean;
export function overlap(a: Spread, b: Spread): boolean;
export function winners(
  spreads: Readonly<Record<string, Spread | undefined>>,
  how?: { readonly more?: boolean; readonly familyOf?: (name: string) => string },
): string[];
