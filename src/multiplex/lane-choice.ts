import { LARGE, type LaneMeter } from './lane-meter.ts';

/** What the choice of a lane depends on. */
export interface LaneLoad {
  /** Commands that it has sent and that are not answered. */
  readonly inFlight: number;
  /** The expected size of their replies. Bytes. */
  readonly bytesDue: number;
  readonly meter: Pick<LaneMeter, 'progressAt' | 'paceMs' | 'large'>;
}

/** A lane is held up if it made no progress for this long (milliseconds), or for this many times its pace. */
export const STALL_MS = 2;
const STALL_PACES = 4;
/** Whether a command sent now over `lane` would not wait behind many replies; if `wary`, behind none. */
export function isFree({ inFlight, bytesDue, meter }: LaneLoad, now: number, wary: boolean): boolean {
  if (inFlight === 0) return true;
  if (wary) return false;
  const { progressAt, paceMs } = meter;
  return bytesDue < LARGE && now - progressAt < Math.max(STALL_MS, paceMs * STALL_PACES);
}

/** The command that is to be sent. */
export interface Load {
  /** Its reply is expected to be large. */
  readonly large: boolean;
  /** There were large replies recently, so unexpected ones may come too. */
  readonly wary: boolean;
  readonly maxLanes: number;
}

/**
 * Which of `lanes` sends the next command: the first one that is free, so that few callers use one lane; or else the
 * one with the fewest bytes expected, and then another lane is worth its connection. Commands with large replies never
 * get the last free lane.
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
