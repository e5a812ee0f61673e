import { isPoolError, Pool } from 'bounded-redis-pool';
import { collectPool } from 'bounded-redis-pool/prometheus';
import { PoolSessionStore } from 'bounded-redis-pool/session';
import express from 'express';
import session from 'express-session';
import { register } from 'prom-client';
import { gracefulStop } from '../recipes/graceful-stop.cjs';
import { Shop } from './shop.js';

const pool = new Pool(process.env.REDIS_URL, { name: 'shop' });
collectPool(pool);
await pool.ready({ timeoutMs: 30_000 }); // Redis may start after us

const shop = new Shop(pool);
await shop.refill('apples', 10);

const app = express();
app.get('/metrics', async (_request, response) => {
  response.type(register.contentType).send(await register.metrics());
});
app.get('/health', async (_request, response) => {
  const { ok, latencyMs, error } = await pool.health({ timeoutMs: 500 });
  response.status(ok ? 200 : 503).json({ ok, latencyMs, error });
});
app.use(
  session({
    store: new PoolSessionStore({ pool }),
    secret: process.env.SESSION_SECRET ?? 'only for this example',
    resave: false,
    saveUninitialized: false,
  }),
);
app.post('/apples', async (request, response) => {
  if (!(await shop.allows(request.ip))) return response.status(429).send('come back in a minute');
  const outcome = await shop.sell('apples');
  if (outcome === 'sold') request.session.bought = (request.session.bought ?? 0) + 1;
  response.send(`${outcome}, you have ${request.session.bought ?? 0}`);
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
    await stop();
    await pool.close({ graceMs: 2000 });
    if (process.connected) process.disconnect(); // else the channel to PM2, or to a cluster's primary, keeps this process alive
  });
}
