#!/usr/bin/env node
/** The load test with users. docs/load-testing.md says how to use it. */
import { installLocked } from '../tools/install-locked.js';
import { BadInput, HELP, readOptions } from './lib/options.js';

// Whoever reads along, as `head` does, may have enough of it, and a terminal may be closed.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(HELP);
  else {
    install();
    const { run } = await import('./lib/run.js');
    // A scenario may have opened what would keep the process alive.
    process.exit(await run(options));
  }
} catch (error) {
  if (!(error instanceof BadInput)) throw error;
  console.error(error.message);
  process.exit(2);
}

function install() {
  try {
    installLocked(import.meta.dirname, { what: 'the load test' });
  } catch (error) {
    throw new BadInput(
      `What the load test runs could not be installed: ${error.message.split('\n')[0]} (in load/).`,
    );
  }
}
