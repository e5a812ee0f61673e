import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import session from 'express-session';
import { type TestServer, until } from '../helpers/redis.ts';
import { serve, Visitor } from '../helpers/web.ts';
import { Callers, Lateness, longestMs } from './callers.ts';

/** One request each 5 ms. */
const PER_SECOND = 200;
const VISITORS = 20;

/** What a restart did to an app. */
export interface Ridden {
  readonly requests: number;
  /** Not answered with 200. */
  readonly failed: number;
  readonly longestMs: number;
}

/** An app whose sessions are in `store`; every other request changes its session. Redis is killed, and `awayMs` later started again. */
export async function rideOut(server: TestServer, store: session.Store, awayMs: number): Promise<Ridden> {
  const app = express();
  app.use(session({ store, secret: 'test', resave: false, saveUninitialized: false }));
  app.get('/visit', (request, response) => {
    const own = request.session as { visits?: number };
    own.visits = (own.visits ?? 0) + 1;
    response.end();
  });
  app.get('/', (_, response) => void response.end());
  const url = await serve(app);
  const visitors = Array.from({ length: VISITORS }, () => new Visitor(url));
  await Promise.all(visitors.map((visitor) => visitor.ask('/visit')));
  const lateness = new Lateness();
  let turn = 0;
  const callers = new Callers(PER_SECOND, lateness, async (kind) => {
    const answer = await visitors[turn++ % VISITORS]?.ask(kind === 'read' ? '/' : '/visit');
    if (answer !== '200 ') throw new Error(answer);
  });
  await until('the app serves', () => callers.inARow(0) >= 50);
  await server.kill();
  await sleep(awayMs);
  await server.start();
  const backAt = performance.now();
  await until('it serves again', () => callers.inARow(backAt) >= 50);
  await callers.stop();
  lateness.stop();
  const { calls } = callers;
  const failed = calls.filter(({ error }) => error !== undefined).length;
  return { requests: calls.length, failed, longestMs: longestMs(calls) };
}
