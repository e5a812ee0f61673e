import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Everything that meets ioredis runs on both majors that the library supports.
const on = (name: string, ioredis: string, exclude: string[] = []) => ({
  extends: true as const,
  test: { name, alias: { ioredis }, exclude: ['**/node_modules/**', ...exclude] },
});

/** Suites of others, and examples, run the built package, and an `instanceof` of others asks for the ioredis that is installed. */
const WITH_INSTALLED_IOREDIS = [
  'test/package/**', // which sees to both itself
  'test/examples.test.ts',
  'test/readme.test.ts',
  'test/load/**',
  'test/integrations/observe/traced-process.test.ts',
  'test/ioredis/changed-internals.test.ts',
  ...['suites', 'connect-redis-suites', 'mock-examples', 'recipes', 'throttler-storage'].map(
    (name) => `test/others/${name}.test.ts`,
  ),
];

/** What knows nothing of ioredis. */
const WITHOUT_IOREDIS = [
  ...[
    'test/architecture.test.ts',
    'test/api-docs.test.ts',
    'test/api/types.test.ts',
    'test/bench/**',
    'test/util/**',
    'test/integrations/observe/dashboard.test.ts',
  ],
  ...['backoff', 'permits', 'slot'].map((name) => `test/core/${name}.test.ts`),
  ...['reply-reader', 'taint'].map((name) => `test/ioredis/${name}.test.ts`),
  'test/cluster/deciders.test.ts',
  'test/multiplex/lane-choice.test.ts',
];

/** What takes long, and is about Redis and the network more than about the client. */
const ONCE = [
  ...['test/faults/f*.test.ts', 'test/others/express-restarts.test.ts'],
  ...[
    'beside-one-server',
    'changes',
    'close',
    'frozen',
    'hostile-topology',
    'max-total',
    'replicas',
    'soak',
  ].map((name) => `test/cluster/${name}.test.ts`),
];

// Where .ci/run wants the counts.
const results = process.env['TEST_RESULTS'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/helpers/find-server.ts'],
    // Many tests wait for servers to fail over or to come back: two workers leave two cores idle for most of the time.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // Only to end what hangs: no test depends on how fast the machine is.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      on('ioredis 6', 'ioredis'),
      on('ioredis 5', 'ioredis5', [...WITH_INSTALLED_IOREDIS, ...WITHOUT_IOREDIS, ...ONCE]),
    ],
    reporters: results ? ['default', ['json', { outputFile: results }]] : ['default'],
  },
});
