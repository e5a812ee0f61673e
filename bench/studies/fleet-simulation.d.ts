export interface FleetEvent {
  readonly name: string;
  readonly awayMs: number;
  readonly refuses: boolean;
}
export interface FleetRun {
  readonly perSecond: readonly { readonly at: number; readonly rate: number }[];
  readonly first: number;
  readonly steady: number;
  readonly peak: number;
  readonly mostSockets: number;
  readonly backMs: { readonly median: number; readonly last: number };
}
export const EVENTS: readonly FleetEvent[];
export function simulate(
  Pool: unknown,
  event: FleetEvent,
  fleet: { readonly processes: number; readonly callsPerSecond?: number },
): Promise<FleetRun>;
