/** What a user does next, and when: pure functions. */

/**
 * A task's name, by chance, each as often as its weight says.
 *
 * @param {import('./scenario.js').Scenario['tasks']} tasks
 * @param {number} chance from 0 up to 1
 */
export function pick(tasks, chance) {
  const all = Object.entries(tasks);
  let left = chance * all.reduce((sum, [, [weight]]) => sum + weight, 0);
  for (const [name, [weight]] of all) {
    left -= weight;
    if (left < 0) return name;
  }
  return all[all.length - 1][0];
}

/**
 * When a user's wait ends. With waves, it ends together with those of others: at the next full `waveMs` since the start.
 *
 * @param {{ now: number, origin: number, wait: readonly [number, number], scale: number, waveMs: number, chance: number }} when
 *   `wait` in seconds, all else in milliseconds
 */
export function nextTurn({ now, origin, wait: [least, most], scale, waveMs, chance }) {
  const due = now + (least + chance * (most - least)) * scale * 1000;
  return waveMs > 0 ? origin + Math.ceil((due - origin) / waveMs) * waveMs : due;
}
