/** How load is made: callers who wait for their reply, or requests that come whether or not the last was answered. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Every so many operations of a caller are timed. */
const SAMPLE = 4;

/** Callers who each do one thing after the other (closed loop), for `ms` milliseconds or `times` times. */
export async function closedLoop(operation, { callers, ms, times = Number.POSITIVE_INFINITY }) {
  let over = false;
  let done = 0;
  const latencies = [];
  const caller = async (_, id) => {
    const end = id + times;
    for (let turn = id; turn < end && !over; turn++) {
      if (turn % SAMPLE === 0) {
        const start = performance.now();
        await operation();
        latencies.push(performance.now() - start);
      } else await operation();
      done++;
    }
  };
  const start = performance.now();
  const stop = () => {
    over = true;
  };
  const timer = ms === undefined ? undefined : setTimeout(stop, ms);
  await Promise.all(Array.from({ length: callers }, caller));
  clearTimeout(timer);
  return { done, seconds: (performance.now() - start) / 1000, latencies };
}

/** Beyond this many unanswered requests the contender is not keeping up, and further ones are refused. */
const MOST_UNANSWERED = 20_000;

/**
 * `rate` requests a second, for `ms` milliseconds (open loop). A request's latency counts from when it was due, not
 * from when this busy process came to send it: else a stall would hide the very requests that it delayed
 * (coordinated omission).
 */
export async function openLoop(operation, { rate, ms }) {
  const start = performance.now();
  const total = Math.round((rate * ms) / 1000);
  const latencies = [];
  let sent = 0;
  let unanswered = 0;
  let refused = 0;
  const send = async (due) => {
    if (unanswered >= MOST_UNANSWERED) {
      refused++;
      return;
    }
    unanswered++;
    try {
      await operation();
      latencies.push(performance.now() - due);
    } catch (error) {
      if (error.code !== 'POOL_EXHAUSTED') throw error;
      refused++;
    } finally {
      unanswered--;
    }
  };
  const all = [];
  while (sent < total) {
    const due = Math.min(total, Math.floor(((performance.now() - start) * rate) / 1000));
    while (sent < due) all.push(send(start + (sent++ * 1000) / rate));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(all);
  return { done: latencies.length, seconds: (performance.now() - start) / 1000, latencies, refused };
}

/** `count` bursts of `size` requests at once, with `pauseMs` to think in between. */
export async function bursts(operation, { count, size, pauseMs }) {
  const latencies = [];
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    const request = async () => {
      await operation();
      latencies.push(performance.now() - began);
    };
    await Promise.all(Array.from({ length: size }, request));
    await sleep(pauseMs);
  }
  return { done: latencies.length, seconds: (performance.now() - start) / 1000, latencies };
}
