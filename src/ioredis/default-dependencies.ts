import { type Clock, systemClock } from '../util/clock.ts';
import { genericPoolEngine } from '../core/generic-pool.ts';
import type { Hands } from '../core/dependencies.ts';
import type { ClientOptions, ResolvedOptions } from '../api/options.ts';
import { copyPlain } from '../util/plain.ts';
import { check } from './ping.ts';
import { RedisConnection } from './connection.ts';
import { outside } from './outside.ts';
import { SentinelOrder } from './sentinels.ts';
import { surveyOnce } from './maxclients.ts';

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
