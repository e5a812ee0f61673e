import { spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { installTarball } from '../helpers/packed.ts';

const CONSUMER = join(import.meta.dirname, '../fixtures/consumer.ts');
const OTHERS = ['@ioredis', '@opentelemetry/api', '@types', 'generic-pool', 'prom-client'];
const MODULES: Readonly<Record<string, string>> = {
  node16: 'node16',
  nodenext: 'nodenext',
  bundler: 'esnext',
};
/** Each way to find modules is tried by an old compiler and the newest one; all by all would take minutes. */
const VERSIONS = [
  ['5.0, the oldest', 'typescript-oldest', ['node16', 'bundler']],
  ['5.9', 'typescript', ['nodenext']],
  ['7, the newest', 'typescript-newest', Object.keys(MODULES)],
] as const;

// Nothing is taken on trust (`skipLibCheck`), and the compiler is as strict as a user may have it.
const strict = {
  ...{
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
  },
  ...{ noPropertyAccessFromIndexSignature: true, verbatimModuleSyntax: false, isolatedModules: true },
  ...{ skipLibCheck: false, noEmit: true, resolveJsonModule: true, esModuleInterop: true },
  ...{ target: 'es2022', lib: ['es2022'], types: ['node'] },
};

describe.each(['ioredis', 'ioredis5'])('with the types of %s', (ioredis) => {
  const project = installTarball([...OTHERS, `${ioredis} as ioredis`]);
  for (const ending of ['mts', 'cts']) copyFileSync(CONSUMER, join(project, `consumer.${ending}`));
  for (const [moduleResolution, module] of Object.entries(MODULES)) {
    const compilerOptions = { ...strict, module, moduleResolution };
    const files = ['consumer.mts', 'consumer.cts'];
    writeFileSync(join(project, `${moduleResolution}.json`), JSON.stringify({ compilerOptions, files }));
  }

  describe.each(VERSIONS)('TypeScript %s', (_, compiler, modules) => {
    test.each(modules)('compiles a consumer of every subpath: %s', { timeout: 120_000 }, (module) => {
      const tsc = join(import.meta.dirname, '../../node_modules', compiler, 'bin/tsc');
      const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', `${module}.json`], {
        cwd: project,
        encoding: 'utf8',
      });
      expect({ status, said: stdout.trim() }).toEqual({ status: 0, said: '' });
    });
  });
});
