/** Packages of their own within the repository, each with its own lock: `npm ci` of the root leaves them out. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/**
 * Installs a folder's package by its lock, unless that is done.
 *
 * @param {string} folder
 * @param {{ what: string, finish?: (modules: string) => void }} how `what` it is for; `finish` what is not from a registry
 */
export function installLocked(folder, { what, finish }) {
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8');
  const modules = join(folder, 'node_modules');
  const done = join(modules, '.installed-lock.json');
  if (existsSync(done) && readFileSync(done, 'utf8') === lock) return;
  console.log(`installing what ${what} runs into ${relative(process.cwd(), modules) || modules} …`);
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  finish?.(modules);
  writeFileSync(done, lock);
}
