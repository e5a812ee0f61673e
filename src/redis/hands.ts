import { type Clock, systemClock } from '../clock.ts';
import { genericPoolEngine } from '../engine/generic-pool.ts';
import type { Hands } from '../hands.ts';
import type { ResolvedOptions } from '../options.ts';
import { check } from './check.ts';
import { RedisConnection } from './connect.ts';
import { clientOptions } from './options.ts';
import { surveyOnce } from './survey.ts';

/** The real hands: sockets, timers, generic-pool. */
export function realHands(options: ResolvedOptions, clock: Clock = systemClock): Hands {
  const redis = clientOptions(options);
  return {
    clock,
    random: Math.random,
    engine: genericPoolEngine,
    connect: (owner) => new RedisConnection(redis, options, owner, clock),
    check: (connection, timeoutMs) => check(connection, timeoutMs, clock),
    survey: surveyOnce(options, redis.connectionName ?? options.name),
  };
}
