import { build } from 'esbuild';

const both = { entryPoints: ['app.js'], bundle: true, platform: 'node', target: 'node20' };

await build({ ...both, format: 'cjs', outfile: 'dist/app.cjs' });
await build({
  ...both,
  format: 'esm',
  outfile: 'dist/app.mjs',
  // ioredis and generic-pool are CommonJS: in an ESM bundle their `require('events')` needs a require.
  banner: {
    js: "import { createRequire as toRequire } from 'node:module'; const require = toRequire(import.meta.url);",
  },
});
