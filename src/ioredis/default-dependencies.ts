import type { ClientOptions, ResolvedOptions } from '../api/options.ts';
import { copyPlain } from '../api/plain.ts';
import type { Dependencies } from '../core/dependencies.ts';
import { genericPoolPermits } from '../core/generic-pool.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { RedisConnection } from './connection.ts';
import { checkMaxClientsOnce } from './maxclients.ts';
import { outside } from './outside.ts';
import { ping } from './ping.ts';
import { SentinelOrder } from './sentinels.ts';

/** The real hands: sockets, timers, generic-pool. `redis` are the options of every client. */
export function defaultDependencies(
  options: ResolvedOptions,
  redis: ClientOptions,
  clock: Clock = systemClock,
): Dependencies {
  const survey = checkMaxClientsOnce(options, redis.connectionName ?? options.name);
  const sentinels = new SentinelOrder(redis);
  return {
    clock,
    random: Math.random,
    permits: genericPoolPermits,
    connect: (owner) =>
      outside(() => new RedisConnection(copyPlain(redis), options, owner, clock, sentinels)),
    ping: (connection, timeoutMs) => outside(() => ping(connection, timeoutMs, clock)),
    checkMaxClients: (connection) => outside(() => survey(connection)),
  };
}
