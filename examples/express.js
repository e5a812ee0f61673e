/** Sessions of express in Redis: at most 10 connections, whatever comes. REDIS_URL and PORT say where. */
import { isPoolError, Pool } from 'bounded-redis-pool';
import { PoolSessionStore } from 'bounded-redis-pool/session';
import express from 'express';
import session from 'express-session';
import { gracefulStop } from './recipes/graceful-stop.cjs';

const pool = new Pool(process.env.REDIS_URL);
await pool.ready(); // rather fail now than with the first visitor

const app = express();
app.use(
  session({
    store: new PoolSessionStore({ pool, prefix: 'shop:' }),
    secret: process.env.SESSION_SECRET ?? 'only for this example',
    resave: false, // the store knows how to touch
    saveUninitialized: false, // no session, and no write, for those who only pass by
    cookie: { maxAge: 60 * 60 * 1000 },
  }),
);
app.get('/', (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.send(`visit ${request.session.visits}`);
});
app.use((error, _request, response, _next) => {
  // express-session answers first and saves then. If it could not, and the answer is on its way, there is nothing to say;
  // to say it all the same, or to leave it to express, would close a connection over which others may be asking.
  if (response.headersSent) return;
  // 503 says: not now. Anything else is a bug of ours.
  response.status(isPoolError(error) ? 503 : 500).send(isPoolError(error) ? 'busy' : 'a bug');
});

const server = app.listen(process.env.PORT ?? 3000, () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
  process.send?.('ready'); // to PM2, with wait_ready
});
const stop = gracefulStop(server);
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await stop(); // answers what is under way
    await pool.close({ graceMs: 2000 });
    if (process.connected) process.disconnect(); // else the channel to PM2, or to a cluster's primary, keeps this process alive
  });
}
