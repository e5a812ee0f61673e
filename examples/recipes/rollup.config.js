import commonjs from '@rollup/plugin-commonjs';
import json from '@rollup/plugin-json';
import { nodeResolve } from '@rollup/plugin-node-resolve';

export default {
  input: 'app.js',
  output: [
    { file: 'dist/app.mjs', format: 'es', inlineDynamicImports: true },
    { file: 'dist/app.cjs', format: 'cjs', inlineDynamicImports: true },
  ],
  plugins: [nodeResolve({ exportConditions: ['node'], preferBuiltins: true }), commonjs(), json()],
};
