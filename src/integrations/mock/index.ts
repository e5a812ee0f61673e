export type { Answer, AnswerHandler } from './answers.ts';
export type { MockLease } from './leases.ts';
export { MockPool } from './mock-pool.ts';
export type { MockCommand } from './server.ts';
