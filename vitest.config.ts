import { defineConfig } from 'vitest/config';

// Everything that meets ioredis runs on both majors that the library supports.
const on = (name: string, ioredis: string) => ({
  extends: true as const,
  test: { name, alias: { ioredis } },
});

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    projects: [on('ioredis 6', 'ioredis'), on('ioredis 5', 'ioredis5')],
  },
});
