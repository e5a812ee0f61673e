/** How load is made: callers who wait for their reply, or requests that come whether or not the last was answered. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Every so many operations of a caller are timed. */
const SAMPLE = 4;
/** How long whoever stops paced callers waits for what hangs. */
const PATIENCE_MS = 2000;

/**
 * Callers who each do one thing after the other (closed loop), `times` times or until `stop()`. `done` counts all of
 * it, `latencies` has samples; `finished` resolves when the last of them is answered.
 */
export function startCallers(operation, { callers, times = Number.POSITIVE_INFINITY }) {
  let over = false;
  const load = { done: 0, latencies: [] };
  const caller = async (_, id) => {
    const end = id + times;
    for (let turn = id; turn < end && !over; turn++) {
      if (turn % SAMPLE === 0) {
        const start = performance.now();
        await operation();
        load.latencies.push(performance.now() - start);
      } else await operation();
      load.done++;
    }
  };
  load.stop = () => {
    over = true;
  };
  load.finished = Promise.all(Array.from({ length: callers }, caller));
  return load;
}

/** The same for `ms` milliseconds, or `times` times. */
export async function closedLoop(operation, { ms, ...load }) {
  const start = performance.now();
  const all = startCallers(operation, load);
  const timer = ms === undefined ? undefined : setTimeout(all.stop, ms);
  await all.finished;
  clearTimeout(timer);
  return { done: all.done, seconds: (performance.now() - start) / 1000, latencies: all.latencies };
}

/**
 * Callers who go on whatever comes, and pause after each reply or error: `operation` is given a number of its own each
 * time. `answers` has that number and the time of each reply, in their order.
 */
export function pacedCallers(operation, { callers, pauseMs }) {
  const load = { answers: [], errors: 0 };
  let over = false;
  let next = 0;
  const caller = async () => {
    while (!over) {
      const number = next++;
      try {
        await operation(number);
        load.answers.push({ number, at: performance.now() });
      } catch {
        load.errors++;
      }
      await sleep(pauseMs);
    }
  };
  const all = Promise.all(Array.from({ length: callers }, caller));
  load.stop = () => {
    over = true;
    return Promise.race([all, sleep(PATIENCE_MS)]);
  };
  return load;
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
