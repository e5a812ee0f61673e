/** The server, and what lies between it and the contenders. */
import { fork } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { freePort } from '../../tools/redis-server.js';
import { serverBinary, startBenchServer } from '../lib/server.js';

const here = import.meta.dirname;

/** Starts a server that speaks plain and TLS. */
export async function startEnvironment() {
  const { Authority, temporaryFiles } = await certificates();
  const authority = new Authority('bench');
  const { key, cert } = authority.issue({ name: 'localhost', hosts: ['localhost'], ips: ['127.0.0.1'] });
  const files = temporaryFiles({ ca: authority.cert, key, cert });
  const port = await freePort();
  const tls = Object.entries({ 'tls-port': port, 'tls-auth-clients': 'no' }).concat(
    ['ca-cert', 'key', 'cert'].map((name) => [`tls-${name}-file`, files.path(name.replace('-cert', ''))]),
  );
  const args = tls.flatMap(([name, value]) => [`--${name}`, String(value)]);
  const server = await startBenchServer({ args });
  return {
    binary: await serverBinary(),
    server,
    tls: { host: 'localhost', port: server.tlsPort, ca: authority.cert },
    async stop() {
      await server.stop();
      files.remove();
    },
  };
}

/** Starts a link to `port` in a process of its own; see slow-link.js. */
export async function startLink(port, options) {
  const child = fork(join(here, 'slow-link.js'), [JSON.stringify({ port, ...options })]);
  const own = await new Promise((resolve, reject) => child.once('message', resolve).once('error', reject));
  return {
    target: { host: '127.0.0.1', port: own },
    stop: () => void child.kill(),
  };
}

/** The tests' own certificate authority, which is written in TypeScript. */
async function certificates() {
  const source = readFileSync(join(here, '../../test/helpers/certificate.ts'), 'utf8');
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  const file = join(here, `certificate.${process.pid}.tmp.mjs`);
  writeFileSync(file, ts.transpileModule(source, { compilerOptions }).outputText);
  try {
    return await import(pathToFileURL(file).href);
  } finally {
    rmSync(file);
  }
}
