import { LARGE, type LaneMeter } from './lane-meter.ts';

/** What decides over a lane. */
export interface LaneLoad {
  /** Commands it has sent that are not answered. */
  readonly inFlight: number;
  /** Bytes that are expected in reply to them. */
  readonly bytesDue: number;
  readonly meter: Pick<LaneMeter, 'progressAt' | 'paceMs' | 'large'>;
}

/** A lane is held up that has had nothing to show for this long, or for this many times its pace. Milliseconds. */
export const STALL_MS = 2;
const STALL_PACES = 4;
/** Whether what is sent now over `lane` would not wait behind much; if `wary`, whether it would wait at all. */
export function isFree({ inFlight, bytesDue, meter }: LaneLoad, now: number, wary: boolean): boolean {
  if (inFlight === 0) return true;
  if (wary) return false;
  const { progressAt, paceMs } = meter;
  return bytesDue < LARGE && now - progressAt < Math.max(STALL_MS, paceMs * STALL_PACES);
}

/** What is to be sent. */
export interface Load {
  /** Its reply is expected to be large. */
  readonly large: boolean;
  /** Large replies may come at any time, unexpected ones too. */
  readonly wary: boolean;
  readonly maxLanes: number;
}

/**
 * Which of `lanes` takes what is sent now: the first one that is free, so that few callers use one lane; or else the
 * one with the least to come, and another lane is worth its connection. Large replies never have the last lane.
 */
export function chooseLane<L extends LaneLoad>(
  lanes: readonly L[],
  now: number,
  { large, wary, maxLanes }: Load,
): { readonly lane: L; readonly free: boolean } | undefined {
  const heavy = lanes.filter(({ meter }) => meter.large);
  const crowded = large && maxLanes > 1 && heavy.length >= maxLanes - 1;
  let least: L | undefined;
  for (const lane of crowded ? heavy : lanes) {
    if (isFree(lane, now, wary)) return { lane, free: true };
    if (least === undefined || lane.bytesDue < least.bytesDue) least = lane;
  }
  return least && { lane: least, free: crowded };
}
