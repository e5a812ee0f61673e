/** Sessions of koa in Redis: at most 10 connections, whatever comes. REDIS_URL and PORT say where. */
import { Pool } from 'bounded-redis-pool';
import { koaSessionStore } from 'bounded-redis-pool/session';
import Koa from 'koa';
import session from 'koa-session';
import { gracefulStop } from './recipes/graceful-stop.cjs';

const pool = new Pool(process.env.REDIS_URL);
await pool.ready(); // rather fail now than with the first visitor

const app = new Koa();
app.keys = [process.env.SESSION_SECRET ?? 'only for this example'];
app.use(session({ store: koaSessionStore(pool, { prefix: 'shop:' }), maxAge: 60 * 60 * 1000 }, app));
app.use((context) => {
  context.session.visits = (context.session.visits ?? 0) + 1;
  context.body = `visit ${context.session.visits}`;
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
