import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/**
 * A project that has installed the tarball which npm would publish, as it stands in dist/, beside `others` of this
 * project's packages: `ioredis5 as ioredis` puts one in another's place. Gone when the tests of the file are over.
 */
export function installTarball(others: readonly string[]): string {
  const project = realpathSync(mkdtempSync(join(tmpdir(), 'installed-')));
  afterAll(() => rmSync(project, { recursive: true }));
  const own = join(project, 'node_modules/bounded-redis-pool');
  mkdirSync(own, { recursive: true });
  // Without scripts: a build now would take dist/ away from the tests beside this one.
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', project];
  const tarball = execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8' }).trim();
  execFileSync('tar', ['xzf', join(project, tarball), '--strip-components=1', '-C', own]);
  for (const other of others) {
    const [name = '', as = name] = other.split(' as ');
    const link = join(project, 'node_modules', as);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), link, 'dir');
  }
  return project;
}
