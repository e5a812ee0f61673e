import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findServer, startServer } from '../../tools/redis-server.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'find-server-'));
  vi.stubEnv('REDIS_SERVER', undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** A program of that name, which ends at once. */
function program(name: string): string {
  const path = join(folder, name);
  writeFileSync(path, '#!/bin/sh\nexit 3\n');
  chmodSync(path, 0o755);
  return path;
}

function notExecutable(name: string): string {
  const path = program(name);
  chmodSync(path, 0o644);
  return path;
}

test('REDIS_SERVER wins over what is on PATH: a path, a path from here, or the name of a program', () => {
  const installed = program('redis-server');
  const chosen = program('my-valkey');
  vi.stubEnv('PATH', folder);
  expect(findServer()).toBe(installed);
  for (const said of [chosen, join('.', relative('.', chosen)), 'my-valkey']) {
    vi.stubEnv('REDIS_SERVER', said);
    expect(findServer()).toBe(chosen);
  }
  vi.stubEnv('REDIS_SERVER', '');
  expect(findServer()).toBe(installed);
});

test('a redis-server is taken before a valkey-server, wherever on PATH either is', () => {
  const valkey = program('valkey-server');
  const further = join(folder, 'further');
  mkdirSync(further);
  vi.stubEnv('PATH', `${folder}:${further}`);
  // Where this machine has one, it is found in the usual places.
  expect(findServer()).toMatch(/\/redis-server$|\/valkey-server$/);
  symlinkSync(valkey, join(further, 'redis-server'));
  expect(findServer()).toBe(join(further, 'redis-server'));
});

test.each([
  ['is not there', (): string => join(folder, 'nothing')],
  ['is a folder', (): string => folder],
  ['may not be run', (): string => notExecutable('text')],
  ['is nowhere on PATH', (): string => 'no-such-redis-server'],
])('REDIS_SERVER that %s is said, with what to do', (_, chosen) => {
  const said = chosen();
  vi.stubEnv('REDIS_SERVER', said);
  const sentence = `REDIS_SERVER is '${said}', which is no program that can be run: give the path of a redis-server`;
  expect(() => findServer()).toThrow(sentence);
});

test('a folder named redis-server is no server', () => {
  mkdirSync(join(folder, 'redis-server'));
  vi.stubEnv('PATH', folder);
  expect(findServer()).not.toBe(join(folder, 'redis-server'));
});

test('a program that is no server is named when it ends', async () => {
  const chosen = program('my-valkey');
  vi.stubEnv('REDIS_SERVER', chosen);
  await expect(startServer()).rejects.toThrow(`${chosen} ended with code 3 before it was ready`);
});
