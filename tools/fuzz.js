/**
 * Does `pool.redis` answer as a bare client does? `npm run fuzz -- [programs] [seed]` runs random programs on both, many
 * more than `npm test` does, and prints the smallest one that makes a difference, with its seed.
 */
import { spawnSync } from 'node:child_process';

const [programs = '2000', seed] = process.argv.slice(2);
for (const [what, given] of Object.entries({ programs, seed: seed ?? '0' })) {
  if (!/^\d+$/.test(given)) {
    console.error(`${what} must be a number, got ${given}: npm run fuzz -- [programs] [seed]`);
    process.exit(2);
  }
}
const env = { ...process.env, FUZZ_RUNS: programs, ...(seed && { FUZZ_SEED: seed }) };
const { status } = spawnSync('npx', ['vitest', 'run', 'test/fuzz'], { env, stdio: 'inherit' });
process.exit(status ?? 1);
