import { type Clock, systemClock } from '../clock.ts';
import { genericPoolEngine } from '../engine/generic-pool.ts';
import type { Hands } from '../hands.ts';
import type { ClientOptions, ResolvedOptions } from '../options.ts';
import { copyPlain } from '../plain.ts';
import { check } from './check.ts';
import { RedisConnection } from './connect.ts';
import { outside } from './outside.ts';
import { SentinelOrder } from './sentinels.ts';
import { surveyOnce } from './survey.ts';

/** The real hands: sockets, timers, generic-pool. `redis` are the options of every client. */
export function realHands(options: ResolvedOptions, redis: ClientOptions, clock: Clock = systemClock): Hands {
  const survey = surveyOnce(options, redis.connectionName ?? options.name);
  const sentinels = new SentinelOrder(redis);
  return {
    clock,
    random: Math.random,
    engine: genericPoolEngine,
    connect: (owner) =>
      outside(() => new RedisConnection(copyPlain(redis), options, owner, clock, sentinels)),
    check: (connection, timeoutMs) => outside(() => check(connection, timeoutMs, clock)),
    survey: (connection) => outside(() => survey(connection)),
  };
}
