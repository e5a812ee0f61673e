import type { LaneMeter } from './lane-meter.ts';

/** What decides over a lane. */
export interface LaneLoad {
  /** Commands it has sent that are not answered. */
  readonly inFlight: number;
  /** Bytes that are expected in reply to them. */
  readonly bytesDue: number;
  readonly meter: Pick<LaneMeter, 'progressAt' | 'paceMs'>;
}

/** A lane on its way to this many bytes would have others wait. */
export const LARGE = 262_144;
/** A lane is held up that has had nothing to show for this long, or for this many times its pace. Milliseconds. */
export const STALL_MS = 2;
const STALL_PACES = 4;

/** Whether what is sent now over `lane` would not wait behind much. */
function isFree({ inFlight, bytesDue, meter }: LaneLoad, now: number): boolean {
  if (inFlight === 0) return true;
  const { progressAt, paceMs } = meter;
  return bytesDue < LARGE && now - progressAt < Math.max(STALL_MS, paceMs * STALL_PACES);
}

/**
 * Which of `lanes` takes what is sent now: the first one that is free, so that few callers use one lane; or else the
 * one with the least to come, and another lane is worth its connection.
 */
export function chooseLane<L extends LaneLoad>(
  lanes: readonly L[],
  now: number,
): { readonly lane: L; readonly free: boolean } | undefined {
  let least: L | undefined;
  for (const lane of lanes) {
    if (isFree(lane, now)) return { lane, free: true };
    if (least === undefined || lane.bytesDue < least.bytesDue) least = lane;
  }
  return least && { lane: least, free: false };
}
