export type { NodeCallback } from '../../util/callback.ts';
export type { SessionRequest } from './express-sessions.ts';
export { type KoaSessionOptions, type KoaSessionStore, koaSessionStore } from './koa.ts';
export { type NodeRedisView, nodeRedisView, type SetOptions } from './node-redis-view.ts';
export type { Serializer, SessionOptions, StoredSession } from './session-options.ts';
export { PoolSessionStore, type PoolSessionStoreOptions, type SessionRecord } from './store.ts';
