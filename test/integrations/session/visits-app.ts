import express from 'express';
import session from 'express-session';
import type { PoolSessionStore } from '../../../src/integrations/session/index.ts';
import { serve } from '../../helpers/web.ts';

declare module 'express-session' {
  interface SessionData {
    visits?: number;
  }
}

/** Serves an app that counts visits, after what `prepare` adds to it, and goes on without a session; returns its URL. */
export async function serveVisits(
  store: PoolSessionStore,
  options: Partial<session.SessionOptions> = {},
  prepare = (_app: express.Express): unknown => undefined,
): Promise<string> {
  const app = express();
  app.use(session({ store, secret: 'test', resave: false, saveUninitialized: false, ...options }));
  prepare(app);
  app.get('/', (request, response) => {
    if (request.session === undefined) return void response.send('no session');
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.send(`${request.session.visits}`);
  });
  app.use(((error, _request, response, _next) => {
    response.status(500).send(String(error.code ?? error.message));
  }) satisfies express.ErrorRequestHandler);
  return serve(app);
}
