/** An express app whose every request reads its session, in a process of its own. */
import { RedisStore } from 'connect-redis8';
import express from 'express';
import session from 'express-session';
import { Redis } from 'ioredis';
import { Pool } from '../../dist/index.js';
import { PoolSessionStore } from '../../dist/session.js';

const [kind, url] = process.argv.slice(2);
const STORES = {
  'connect-redis 8, one ioredis': () => new RedisStore({ client: new Redis(url), prefix: 'theirs:' }),
  PoolSessionStore: () => new PoolSessionStore({ pool: new Pool(url), prefix: 'ours:' }),
};

const app = express();
app.use(session({ store: STORES[kind](), secret: 'bench', resave: false, saveUninitialized: false }));
app.get('/login', (request, response) => {
  request.session.user = 'u'.repeat(200);
  response.end('in');
});
app.get('/', (request, response) => response.end(String(request.session.user?.length)));
const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('message', () => process.send({ cpu: process.cpuUsage() }));
process.on('disconnect', () => process.exit());
