export type { PoolErrorCode } from './api/error-codes.ts';
export { isPoolError, PoolError } from './api/errors.ts';
export type { ConnectionEvent, PoolEvent, PoolEventName, PoolEvents, PoolListener } from './api/events.ts';
export type { Lease, LeaseMessage } from './api/lease.ts';
export type { BorrowContext, ClientOptions, PoolOptions } from './api/options.ts';
export type { AcquireOptions, CloseOptions, ReadyOptions, RedisPool } from './api/redis-pool.ts';
export { DEFAULTS } from './api/resolve-options.ts';
export type { CloseReason, HealthOptions, PoolHealth, PoolStats } from './api/stats.ts';
export { Pool } from './pool.ts';
