import { defineConfig } from 'tsup';

export default defineConfig({
  entry: { index: 'src/index.ts', mock: 'src/mock/index.ts' },
  splitting: true, // what the entries share is there once, in CommonJS too
  format: ['esm', 'cjs'],
  target: 'node20',
  dts: true,
  clean: true,
  sourcemap: true,
});
