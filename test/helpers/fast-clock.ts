import { type Clock, systemClock } from '../../src/util/clock.ts';

/** A clock by which a pool waits, and gives up, so many times as soon. */
export function fastClock(times: number): Clock {
  const { now, after, soon } = systemClock;
  return {
    now: () => now() * times,
    after: (ms, run, background) => after(ms / times, run, background),
    soon,
  };
}
