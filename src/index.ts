export { isPoolError, PoolError, type PoolErrorCode } from './errors.ts';
export { type BorrowContext, type ClientOptions, DEFAULTS, type PoolOptions } from './options.ts';
export { Pool } from './pool.ts';
export type {
  AcquireOptions,
  CloseOptions,
  CloseReason,
  ConnectionEvent,
  HealthOptions,
  Lease,
  LeaseMessage,
  PoolEvent,
  PoolEventName,
  PoolEvents,
  PoolHealth,
  PoolListener,
  PoolStats,
  RedisPool,
} from './redis-pool.ts';
