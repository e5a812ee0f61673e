import type { ClientOptions, ResolvedOptions } from '../api/options.ts';
import { copyPlain } from '../api/plain.ts';
import type { Hands } from '../core/dependencies.ts';
import { genericPoolEngine } from '../core/generic-pool.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { RedisConnection } from './connection.ts';
import { surveyOnce } from './maxclients.ts';
import { outside } from './outside.ts';
import { check } from './ping.ts';
import { SentinelOrder } from './sentinels.ts';

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
