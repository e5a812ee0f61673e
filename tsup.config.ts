import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    cluster: 'src/cluster/index.ts',
    session: 'src/integrations/session/index.ts',
    prometheus: 'src/integrations/observe/prometheus.ts',
    opentelemetry: 'src/integrations/observe/opentelemetry.ts',
    mock: 'src/integrations/mock/index.ts',
  },
  splitting: true, // what the entries share is there once, in CommonJS too
  // Only for what comes with it: rollup, which writes the CommonJS of each chunk. Without, tsup hands that to a transform
  // that puts calls of helpers in the place of `?.` and `??`.
  treeshake: 'safest',
  format: ['esm', 'cjs'],
  target: 'node20',
  removeNodeProtocol: false, // bundlers and test runners know node:timers for what it is
  dts: true,
  clean: true,
  sourcemap: true,
  // The sources are in the repository: copies of them would be two thirds of the package.
  onSuccess: async () => {
    for (const name of readdirSync('dist').filter((file) => file.endsWith('.map'))) {
      const { sourcesContent, ...map } = JSON.parse(readFileSync(`dist/${name}`, 'utf8'));
      writeFileSync(`dist/${name}`, JSON.stringify(map));
    }
  },
});
