/**
 * Installs what test/others runs: libraries that take an ioredis client, and suites of others. They are many, and ask for
 * newer versions of Node than the library does.
 */
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { installLocked } from './install-locked.js';

const root = join(import.meta.dirname, '..');

export function installOthers() {
  installLocked(join(root, 'test/others'), { what: 'test/others', finish: linkOurs });
}

/** They meet this package, as it is built, and the one ioredis that it meets. @param {string} modules */
function linkOurs(modules) {
  link(modules, 'node_modules/ioredis', 'ioredis');
  mkdirSync(join(modules, 'bounded-redis-pool'));
  cpSync(join(root, 'package.json'), join(modules, 'bounded-redis-pool/package.json'));
  link(modules, 'dist', 'bounded-redis-pool/dist');
}

function link(modules, target, name) {
  rmSync(join(modules, name), { recursive: true, force: true });
  symlinkSync(join(root, target), join(modules, name), 'junction');
}

if (process.argv[1] === import.meta.filename) installOthers();
