/** examples/express.js with a login, a cart and a choice of stores, in a process of its own that reports to its parent. */
import { promisify } from 'node:util';
import express from 'express';
import session from 'express-session';
import { collectDefaultMetrics, register } from 'prom-client';
import { collectPool } from '../../dist/prometheus.js';
import { createStore } from './stores.js';

const [kind, url, maxActive] = process.argv.slice(2);
const { store, pool } = createStore(kind, url, Number(maxActive));
await pool?.ready();
collectDefaultMetrics();
if (pool) collectPool(pool);

const app = express();
app.get('/metrics', async (_, response) =>
  response.type(register.contentType).send(await register.metrics()),
);
app.use(
  session({
    ...{ store, secret: 'only for this example', resave: false, saveUninitialized: false },
    cookie: { maxAge: 60 * 60 * 1000 },
  }),
);
// express-session answers first and saves then: whoever must know that it is saved saves it.
const saved = (request) => promisify((done) => request.session.save(done))();
app.post('/login', express.urlencoded({ extended: false }), async (request, response) => {
  request.session.user = request.body.name;
  await saved(request);
  response.redirect('/');
});
app.use((request, response, next) => {
  if (request.session.user) next();
  else response.status(401).send('log in first');
});
app.get('/', (request, response) => {
  response.send(`Welcome, ${request.session.user}: ${request.session.cart?.length ?? 0} in your cart`);
});
app.get('/about', (_, response) => response.send('A shop for lamps'));
app.post('/cart', express.json(), async (request, response) => {
  // The newest ten: a session is no place for more.
  request.session.cart = [request.body.item, ...(request.session.cart ?? [])].slice(0, 10);
  await saved(request);
  response.status(201).send(`${request.session.cart.length} in your cart`);
});
// Without a word on the terminal: the load test counts what is answered with 500.
app.use((error, _request, response, _next) => {
  if (!response.headersSent) response.status(500).send(error.message);
});

const server = app.listen(0, '127.0.0.1', () => process.send?.({ port: server.address().port }));
process.on('disconnect', () => process.exit());
