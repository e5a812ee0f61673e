import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Debian's maintainer scripts ask this program before they start a daemon; 101 means no. */
const POLICY = '/usr/sbin/policy-rc.d';

/**
 * Installs a Debian package whose daemon must not start: the tests start servers of their own.
 *
 * @param {string} name
 * @returns {Promise<string | undefined>} what went wrong, if anything
 */
export async function installPackage(name) {
  const ours = !existsSync(POLICY);
  if (ours) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  try {
    await run('apt-get', ['update'], { env });
    await run('apt-get', ['install', '-y', '--no-install-recommends', name], { env });
    return undefined;
  } catch (error) {
    return `apt-get could not install ${name} (${lastLine(error)})`;
  } finally {
    if (ours) rmSync(POLICY);
  }
}

/** @param {unknown} error */
function lastLine(error) {
  const { stderr, message } = /** @type {{ stderr?: string, message: string }} */ (error);
  return (stderr || message).trim().split('\n').at(-1);
}
