/**
 * Installs what test/others runs, by its own lock, unless that is done: libraries that take an ioredis client, and suites
 * of others. They are many, and ask for newer versions of Node than the library does, so `npm ci` leaves them out.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'test/others');
const modules = join(folder, 'node_modules');
const done = join(modules, '.installed-lock.json');

export function installOthers() {
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8');
  if (existsSync(done) && readFileSync(done, 'utf8') === lock) return;
  console.log('installing what test/others runs …');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  // They meet this package, as it is built, and the one ioredis that it meets.
  link('node_modules/ioredis', 'ioredis');
  mkdirSync(join(modules, 'bounded-redis-pool'));
  cpSync(join(root, 'package.json'), join(modules, 'bounded-redis-pool/package.json'));
  link('dist', 'bounded-redis-pool/dist');
  writeFileSync(done, lock);
}

function link(target, name) {
  rmSync(join(modules, name), { recursive: true, force: true });
  symlinkSync(join(root, target), join(modules, name), 'junction');
}

if (process.argv[1] === import.meta.filename) installOthers();
