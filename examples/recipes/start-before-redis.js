/** Starts beside Redis, in whatever order the two come up. */
import { Pool } from 'bounded-redis-pool';

const pool = new Pool(process.env.REDIS_URL);
await pool.ready({ timeoutMs: 30_000 }); // tries again until then; a wrong password rejects at once
console.log('ready');
await pool.close();
