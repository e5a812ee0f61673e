/** What callers do, as each client says it. Every reply is looked at. */

export const VALUES = { small: 's'.repeat(100), medium: 'm'.repeat(1024), large: 'l'.repeat(1 << 20) };
const KEYS = Array.from({ length: 100 }, (_, i) => `many:${i}`);
const FIELDS = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`field:${i}`, `value ${i}`]));

/** Puts there what the operations read. */
export async function seed(redis) {
  await redis.mset({ small: VALUES.small, large: VALUES.large });
  await redis.mset(Object.fromEntries(KEYS.map((key) => [key, VALUES.small])));
  await redis.hset('hash', FIELDS);
}

function same(got, wanted) {
  if (got !== wanted) throw new Error(`a wrong reply: ${String(got).slice(0, 40)}`);
}

const get = async (client) => same(await client.get('small'), VALUES.small);
const getLarge = async (client) => same(await client.get('large'), VALUES.large);
const set = async (client) => same(await client.set('medium', VALUES.medium), 'OK');
const multiOf = (transaction) => transaction.set('m', '1').get('m').set('n', '2').get('n').get('small');

function checkMany(values) {
  same(values.length, KEYS.length);
  same(values[99], VALUES.small);
}

let turn = 0;
/** Each WATCHes a key of its own: what is measured is the cost, not the quarrel. */
const ownKey = () => `watched:${turn++ % 1000}`;

/** @type {Record<string, Record<string, (client: any) => Promise<unknown>>>} */
export const OPERATIONS = {
  nothing: { ioredis: async () => {} },
  get: { ioredis: get, 'node-redis': get, glide: get, ideal: get },
  getLarge: { ioredis: getLarge, 'node-redis': getLarge, glide: getLarge },
  set: { ioredis: set, 'node-redis': set, glide: set },
  mget: {
    ioredis: async (client) => checkMany(await client.mget(KEYS)),
    'node-redis': async (client) => checkMany(await client.mGet(KEYS)),
    glide: async (client) => checkMany(await client.mget(KEYS)),
  },
  hgetall: {
    ioredis: async (client) => same((await client.hgetall('hash'))['field:19'], 'value 19'),
    'node-redis': async (client) => same((await client.hGetAll('hash'))['field:19'], 'value 19'),
    glide: async (client) => same((await client.hgetall('hash'))[19].value, 'value 19'),
  },
  multi: {
    ioredis: async (client) => same((await multiOf(client.multi()).exec())[4][1], VALUES.small),
    'node-redis': async (client) => same((await multiOf(client.multi()).exec())[4], VALUES.small),
    glide: async (client, Batch) =>
      same((await client.exec(multiOf(new Batch(true)), true))[4], VALUES.small),
  },
  watch: {
    ioredis: async (client) => {
      const key = ownKey();
      await client.watch(key);
      await client.get(key);
      same((await client.multi().set(key, '1').exec())[0][1], 'OK');
    },
    'node-redis': async (client) => {
      const key = ownKey();
      await client.watch(key);
      await client.get(key);
      same((await client.multi().set(key, '1').exec())[0], 'OK');
    },
  },
  blpop: {
    ioredis: (client) => client.blpop('nobody pushes', 0.05),
    'node-redis': (client) => client.blPop('nobody pushes', 0.05),
    glide: (client) => client.blpop(['nobody pushes'], 0.05),
  },
};
