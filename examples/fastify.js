/** Sessions of fastify in Redis: at most 10 connections, whatever comes. REDIS_URL and PORT say where. */
import cookie from '@fastify/cookie';
import session from '@fastify/session';
import { Pool } from 'bounded-redis-pool';
import { PoolSessionStore } from 'bounded-redis-pool/session';
import fastify from 'fastify';

const pool = new Pool(process.env.REDIS_URL);
await pool.ready(); // rather fail now than with the first visitor

const app = fastify();
app.addHook('onClose', () => pool.close());
await app.register(cookie);
await app.register(session, {
  store: new PoolSessionStore({ pool, prefix: 'shop:' }),
  secret: process.env.SESSION_SECRET ?? 'only for this example, and 32 long',
  saveUninitialized: false,
  cookie: { secure: false, maxAge: 60 * 60 * 1000 },
});
app.get('/', async (request) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  return `visit ${request.session.visits}`;
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await app.close();
    if (process.connected) process.disconnect(); // else the channel to PM2, or to a cluster's primary, keeps this process alive
  });
}

console.log(await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) }));
process.send?.('ready'); // to PM2, with wait_ready
