import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { version } from 'ioredis/package.json';
import { expect } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../fixtures/process.mjs', import.meta.url));
const BUILT = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

/** Makes `import 'ioredis'` of the built library, too, mean what it means in this project. */
const HOOK = `export const resolve = (name, context, next) =>
  next(name === 'ioredis' ? 'ioredis${version.split('.')[0] === '5' ? '5' : ''}' : name, context);`;
const REGISTER = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(HOOK))});`;

/** A process of its own that uses the built library, as one of the scenarios of test/fixtures/process.mjs. */
export class Child {
  /** What it has told, line by line, and when. */
  readonly told: { what: string; at: number }[] = [];
  /** Resolves when it has ended by itself. */
  readonly ended: Promise<{ code: number | null; at: number; stderr: string }>;

  readonly #process: ChildProcess;

  constructor(scenario: string, url: string, env: Readonly<Record<string, string>> = {}, script = SCRIPT) {
    if (!existsSync(BUILT)) expect.fail('dist/ is not there: npm run build');
    const child = spawn(process.execPath, ['--import', dataUrl(REGISTER), script, scenario, url], {
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#process = child;
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      for (const what of data.split('\n').filter(Boolean)) this.told.push({ what, at: performance.now() });
    });
    let at = 0;
    child.once('exit', () => {
      at = performance.now();
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('close', (code) => resolve({ code, at, stderr })).once('error', reject);
    });
  }

  /** For the end of the test, should it not have ended by itself. */
  kill(): void {
    this.#process.kill('SIGKILL');
  }

  /** Tells it to go on. */
  poke(): void {
    this.#process.stdin?.write('go on\n');
  }

  freeze(): void {
    freezeProcess(this.#process.pid ?? expect.fail('the process did not start'));
  }

  thaw(): void {
    this.#process.kill('SIGCONT');
  }

  has(what: string): boolean {
    return this.told.some((one) => one.what === what);
  }
}

/** Stops a process, until SIGCONT. */
export function freezeProcess(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  // The signal may take a moment to arrive. Where there is no /proc, the moment has to pass by itself.
  const state = `/proc/${pid}/stat`;
  while (existsSync(state) && !readFileSync(state, 'utf8').includes(') T ')) {}
}

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
