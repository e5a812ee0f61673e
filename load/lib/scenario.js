/** Reads the file that says what users do. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BadInput } from './options.js';

const SHOP = join(import.meta.dirname, '../scenarios/shop.js');

/**
 * @param {string} [file]
 * @returns {Promise<import('./scenario.js').Scenario>}
 * @throws {BadInput}
 */
export async function loadScenario(file = SHOP) {
  const path = resolve(file);
  if (!existsSync(path)) throw new BadInput(`The scenario ${file} is not there.`);
  /** @type {unknown} */
  let scenario;
  try {
    scenario = (await import(pathToFileURL(path).href)).default;
  } catch (error) {
    const line = firstLine(error);
    const hint = line.includes("token 'export'") ? ' (it is no module: let its name end in .mjs)' : '';
    throw new BadInput(`The scenario ${file} cannot be loaded: ${line}${hint}.`);
  }
  const fault = faultIn(scenario);
  if (fault) throw new BadInput(`The scenario ${file} ${fault} load/scenarios/shop.js is one to copy.`);
  return /** @type {import('./scenario.js').Scenario} */ (scenario);
}

/** @param {any} scenario @returns {string | undefined} the rest of a sentence */
export function faultIn(scenario) {
  if (typeof scenario !== 'object' || scenario === null)
    return 'has to export its parts: export default { wait, tasks }.';
  const { wait, start, tasks, ...rest } = scenario;
  const [strange] = Object.keys(rest);
  if (strange) return `has '${strange}', but only wait, start and tasks mean something.`;
  const isWait = Array.isArray(wait) && wait.length === 2 && wait.every((n) => Number.isFinite(n) && n >= 0);
  if (!isWait || wait[0] > wait[1]) return 'needs wait: [least, most] seconds between two tasks.';
  if (start !== undefined && typeof start !== 'function') return 'has a start that is no function.';
  const all = typeof tasks === 'object' && tasks !== null ? Object.entries(tasks) : [];
  if (all.length === 0) return 'needs tasks: { name: [weight, function] }.';
  const [wrong] = all.filter(([, task]) => !isTask(task));
  if (wrong) return `has a task '${wrong[0]}' that is not [weight, function], with a weight above 0.`;
  return undefined;
}

/** @param {any} task */
function isTask(task) {
  return Array.isArray(task) && Number.isFinite(task[0]) && task[0] > 0 && typeof task[1] === 'function';
}

/** @param {unknown} error */
const firstLine = (error) => String(error instanceof Error ? error.message : error).split('\n')[0];
