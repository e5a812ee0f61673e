import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    session: 'src/session/index.ts',
    prometheus: 'src/observe/prometheus.ts',
    opentelemetry: 'src/observe/opentelemetry.ts',
  },
  splitting: true, // what the entries share is there once, in CommonJS too
  format: ['esm', 'cjs'],
  target: 'node20',
  dts: true,
  clean: true,
  sourcemap: true,
});
