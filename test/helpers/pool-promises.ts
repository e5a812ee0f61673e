import { isPoolError } from '../../src/api/errors.ts';
import type { Caller } from './pool-callers.ts';
import type { World } from './pool-world.ts';

/** Between two dials, while someone waits for Redis' return. */
const MOST_BETWEEN_DIALS_MS = 500;
/** The same, while dials are paced. */
const PACE_MS = 100;

// Not vitest's expect, which would take most of the time of a run.

function same(what: string, actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected))
    throw new Error(`${what}: ${String(actual)} instead of ${String(expected)}`);
}

function atMost(what: string, actual: number, most: number): void {
  if (!(actual <= most)) throw new Error(`${what}: ${actual}, above ${most}`);
}

/** What holds at any moment, even when not all is done that follows from what happened. */
export function holdsAlways(world: World): void {
  const { maxActive, maxConnecting, maxWaiting, wait } = world.draw.options;
  const { dials, sockets, peak } = world.redis;
  const stats = world.pool.stats();
  same('bugs', world.bugs.join('; '), '');
  atMost('sockets', sockets, maxActive);
  atMost('sockets at some time', peak, maxActive);
  atMost('dials at once', dials.filter(({ state }) => state === 'dialling').length, maxConnecting);
  atMost('connecting', stats.connecting, maxConnecting);
  same('total', stats.total, stats.inUse + stats.idle + stats.connecting + stats.closing);
  atMost('total', stats.total, maxActive);
  // Someone may have come in just before a caller went back into the queue whose connection was no good.
  const back = world.checked ? maxActive : 0;
  atMost('waiting', stats.waiting, back + (wait ? maxWaiting : 0));
  const closed = Object.values(stats.closed).reduce((sum, count) => sum + count, 0);
  same('connected', stats.connected, stats.inUse + stats.idle + closed);
  const lent = world.holding.map(({ lease }) => lease?.connectionId);
  same('connections that are lent once', new Set(lent).size, lent.length);
}

/** What holds when all is done that needs no time. */
export function holdsAtRest(world: World): void {
  const order = world.order.judge();
  // Who meddles may act in the middle of somebody else's turn.
  if (!world.draw.meddle) same('order', order.join('; '), '');
  holdsAlways(world);
  const stats = world.pool.stats();
  const { dials } = world.redis;
  const count = (state: string): number => dials.filter((one) => one.state === state).length;
  same('permits', world.engine.size, stats.total);
  same('connecting', stats.connecting, count('dialling'));
  same('closing', stats.closing, count('closing'));
  atMost('idle, as Redis sees it', stats.idle, world.unlent.length);
  atMost('idle', stats.idle, world.draw.options.maxIdle);
  same('acquired', stats.acquired, world.leases);
  const aborted = world.callers.filter((one) => one.error === one);
  same('aborted', stats.aborted, aborted.length);
  queueHolds(world);
  staleAreGone(world);
  reasonsHold(world);
  if (world.closing) endHolds(world);
  else if (world.downSince === undefined && world.now >= world.doubtUntil) dialsHold(world);
  else proberHolds(world);
}

/** What holds when time has passed: nobody who should have an answer by now is without. */
export function deadlinesHold({ asking, readies, now }: World): void {
  for (const { deadline, number } of asking) atMost(`waiting of caller ${number} until`, now - deadline, -1);
  for (const { deadline } of readies) atMost('waiting of ready() until', now - deadline, -1);
}

function queueHolds(world: World): void {
  const { asking, checks, readies, pool, closing, deeds, redis, draw } = world;
  const stats = pool.stats();
  const queueing = asking.length - checks;
  const untold = draw.meddle ? [] : asking.filter((one) => one.doomed || waitedOut(world, one));
  same('who was not told that Redis is down', untold.length, 0);
  if (stats.idle > 0) atMost('waiting beside idle connections', queueing, 0);
  const others = checks + readies.size;
  const room = draw.options.maxActive - stats.inUse - stats.idle;
  if (others === 0) same('waiting', stats.waiting, Math.max(0, queueing - room));
  const busy = asking.length + others + stats.connecting + stats.closing > 0 || closing;
  if (!busy && !deeds.has('tainted')) same('timers left behind', redis.clock.timers('waited'), 0);
}

/** After clear(), nothing stands from before it but what is lent. */
function staleAreGone({ unlent, staleUpTo, checks, readies, deeds }: World): void {
  if (checks + readies.size > 0 || deeds.has('tainted')) return;
  same('stale connections', unlent.filter(({ id }) => id <= staleUpTo).length, 0);
}

/** What holds after a time in which nothing happened, and which was long enough for the reaper to come by. */
export function reaped({ unlent, known, pool, draw, now }: World): void {
  const { idleTimeoutMs = 0, maxLifetimeMs = 0, reapIntervalMs = 0, minIdle } = draw.options;
  if (Number.isFinite(idleTimeoutMs)) atMost('idle for too long', pool.stats().idle, minIdle);
  for (const { id } of unlent) {
    atMost(`age of connection ${id}`, now - (known.get(id) ?? 0), maxLifetimeMs + reapIntervalMs);
  }
}

/** Whether `caller` came while the outage was surely young enough to wait, and it is surely too old now. */
function waitedOut(world: World, caller: Caller): boolean {
  const { draw, awayFrom, awayBy, everConnected, lastFailure, now } = world;
  const { wait, outageWaitMs } = draw.options;
  if (!wait || outageWaitMs === 0 || !everConnected || !lastFailure.mayPass) return false;
  return caller.since < awayFrom + outageWaitMs && awayBy + outageWaitMs <= now;
}

/** Whoever waits for Redis' return has a dial under way, or one to come soon. */
function proberHolds(world: World): void {
  const { asking, checks, pool, draw, awayBy, lastFailure, now } = world;
  const { total, connecting } = pool.stats();
  const waiting = asking.length - checks > 0 && awayBy <= now && !world.mayRefuse();
  if (!waiting || connecting > 0 || total === draw.options.maxActive) return;
  atMost('time without a dial though someone waits', now - lastFailure.at, MOST_BETWEEN_DIALS_MS);
}

/** Whoever is in want has a dial under way, unless something forbids it. */
function dialsHold({ asking, checks, readies, pool, draw, now, pacedUntil, lastDialAt }: World): void {
  const { maxActive, maxConnecting, minIdle, connectTimeoutMs = 0 } = draw.options;
  const { total, connecting, idle, closing } = pool.stats();
  // The fake's dials hang for ever; a real one is over by now, and the next one starts.
  if (connecting > 0 && now - lastDialAt > connectTimeoutMs) return;
  // What is kept ready is seen to when nobody waits, and when what is under way is over.
  const busy = asking.length + readies.size + checks + closing + connecting > 0;
  const wanted = Math.max(asking.length - checks, busy ? 0 : minIdle - idle);
  const most = Math.min(maxConnecting, maxActive - total + connecting);
  if (now >= pacedUntil)
    atMost('wanted dials that are not under way', Math.min(wanted, most) - connecting, 0);
  else if (Math.min(wanted, most) > 0 && connecting === 0) {
    atMost('time without a dial though it is wanted, and dials are only paced', now - lastDialAt, PACE_MS);
  }
}

/** Nothing is closed for a reason that there was not. */
function reasonsHold({ pool, draw, deeds, closing, destroyed }: World): void {
  const { closed } = pool.stats();
  const { maxIdle, maxActive } = draw.options;
  if (!deeds.has('broke')) same('closed.broken', closed.broken, 0);
  if (!deeds.has('tainted')) same('closed.dirty', closed.dirty, 0);
  if (!deeds.has('cleared')) same('closed.cleared', closed.cleared, 0);
  if (maxIdle === maxActive) same('closed.excess', closed.excess, 0);
  if (closing) return;
  same('closed.destroyed', closed.destroyed, destroyed);
  same('closed.poolClosed', closed.poolClosed, 0);
}

function endHolds({ asking, readies, pool, closed, redis, engine }: World): void {
  const { idle, connecting, total } = pool.stats();
  same('waiting though the pool closes', asking.length + readies.size, 0);
  same('idle or connecting though the pool closes', idle + connecting, 0);
  same('close() has resolved', closed, total === 0);
  if (!closed) return;
  same('sockets after close', redis.sockets, 0);
  same('permits after close', engine.size, 0);
  same('timers after close', redis.clock.timers(), 0);
}

/** What speaks against the error that `caller` got. */
export function whyWrong(world: World, caller: Caller, error: unknown): string | undefined {
  const { options } = world.draw;
  if (error === caller) return caller.aborted ? undefined : 'it was not aborted';
  if (!isPoolError(error)) return 'that is no PoolError';
  if (caller.afterClose && error.code !== 'POOL_CLOSED') return 'the pool is closed';
  const { inUse = 0, idle = 0, waiting = 0, maxActive = 0 } = error.stats ?? {};
  switch (error.code) {
    case 'POOL_CLOSED':
      return world.closing ? undefined : 'nobody closed';
    case 'POOL_ACQUIRE_TIMEOUT':
      return world.now < caller.deadline ? 'it had time' : undefined;
    case 'POOL_EXHAUSTED': {
      if (world.draw.meddle) return undefined; // it was right until someone heard of something
      if (waiting < (options.wait ? options.maxWaiting : 0)) return 'it could have waited';
      const queue = caller.ahead + world.readies.size * Math.max(1, options.minIdle);
      return queue < maxActive - inUse - idle ? 'there was a place' : undefined;
    }
    case 'POOL_CONNECT_FAILED':
      if (!(error.cause instanceof Error)) return 'it has no cause';
      if (inUse + idle > 0) world.failedFirst(caller);
      else if (!world.mayRefuse()) return 'Redis may come back';
      return world.deeds.has('dial failed') ? undefined : 'no dial failed';
    default:
      return 'nobody may be told that';
  }
}
