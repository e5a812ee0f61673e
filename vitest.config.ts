import { defineConfig } from 'vitest/config';

// Everything that meets ioredis runs on both majors that the library supports.
const on = (name: string, ioredis: string, exclude: string[] = []) => ({
  extends: true as const,
  test: { name, alias: { ioredis }, exclude },
});

// Where .ci/run wants the counts.
const results = process.env['TEST_RESULTS'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/helpers/find-server.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Suites of others, and examples, run the built package, and so what it is installed with.
    projects: [
      on('ioredis 6', 'ioredis'),
      on('ioredis 5', 'ioredis5', ['test/third-party/**', 'test/mock/examples.test.ts']),
    ],
    reporters: results ? ['default', ['json', { outputFile: results }]] : ['default'],
  },
});
