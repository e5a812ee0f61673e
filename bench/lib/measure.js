/** How contenders take turns, what CPU they take, where they were measured, and Markdown. */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { closedLoop } from './loops.js';

/** The same list, begun with another one in each round: to be the first, or to come after a certain other, may cost. */
export function inTurn(all, round) {
  const first = round % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

/**
 * Runs every contender once a round, in turn, so that what disturbs the machine disturbs all of them. The first round
 * warms up and does not count. Returns each one's values.
 */
export async function interleave(contenders, rounds, progress = () => {}) {
  const values = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of inTurn(Object.entries(contenders), round)) {
      const value = await run();
      if (round > 0) values[name].push(value);
    }
    progress(round, rounds);
  }
  return values;
}

/**
 * Microseconds of this process' CPU time that an operation takes, with `callers` at once, each doing `each` in turn. What
 * others do on the machine disturbs it less than it does the time that passes.
 */
export async function cpuMicroseconds(callers, each, operation) {
  const start = process.cpuUsage();
  await closedLoop(operation, { callers, times: each });
  const { user, system } = process.cpuUsage(start);
  return (user + system) / (callers * each);
}

/** On what a measurement is made, of what, and when. */
export function surroundings() {
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    node: process.version.slice(1),
    machine: `${cpus().length} cores, ${cpus()[0].model}`,
  };
}

/** The commit that is checked out, and whether what runs is something else by now. */
function commit() {
  const options = { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
  const git = (...args) => execFileSync('git', args, options).trim();
  try {
    const changed = git('status', '--porcelain', '--', '../../src') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' and changes' : ''}`;
  } catch {
    return 'unknown'; // no clone, or no git
  }
}

/** The same in words. */
export function circumstances() {
  const { date, commit, node, machine } = surroundings();
  return `Node ${node}, ${machine}, ${date}, commit ${commit}`;
}

/** A Markdown table row. */
export const row = (...cells) => `| ${cells.join(' | ')} |`;
