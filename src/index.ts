export { isPoolError, PoolError, type PoolErrorCode } from './api/errors.ts';
export { type BorrowContext, type ClientOptions, DEFAULTS, type PoolOptions } from './api/options.ts';
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
} from './api/redis-pool.ts';
export { Pool } from './pool.ts';
