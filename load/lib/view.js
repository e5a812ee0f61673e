/** One moment of a run as text: a line of a log, or a view of all seconds so far. Pure functions. */
import { count, ms, percent, plural, short } from './format.js';

const EIGHTHS = '▁▂▃▄▅▆▇█';
const WIDTH = 40;

/** @typedef {import('./view.js').Second} Second */

/** Several seconds as one: between two waves there may be nothing to see. Times are those of the busiest. @param {Second[]} seconds */
export function together(seconds) {
  const sum = (read) => seconds.reduce((all, second) => all + read(second), 0);
  const last = seconds[seconds.length - 1];
  const { p50, p99 } = seconds.reduce((busiest, one) => (one.requests > busiest.requests ? one : busiest));
  const peak = Math.max(...seconds.map(({ redis }) => redis?.peak ?? 0));
  const requests = sum((one) => one.requests) / seconds.length;
  const redis = last.redis && { ...last.redis, peak };
  return { ...last, requests, errors: sum((one) => one.errors), p50, p99, redis };
}

/** @param {Second} second */
export function line({ at, users, requests, p50, p99, errors, redis, pool }) {
  return [
    `${String(Math.round(at)).padStart(4)} s: ${plural(users, 'user')}, ${short(requests)} requests/s, ${requests > 0 ? `p50 ${ms(p50)}, p99 ${ms(p99)}, ` : ''}${plural(errors, 'error')}`,
    redis && `${plural(redis.open, 'connection')} (most ${count(redis.peak)})`,
    pool && `pool ${pool.inUse} in use, ${pool.waiting} waiting`,
  ]
    .filter(Boolean)
    .join('; ');
}

/** @type {typeof import('./view.js').view} */
export function view(seconds, { duration, users, wave }) {
  // Where users come in waves, the last second alone may have none.
  const now = together(seconds.slice(-Math.max(1, Math.ceil(wave))));
  const sum = (read) => seconds.reduce((all, second) => all + read(second), 0);
  const [requests, errors] = [sum((s) => s.requests), sum((s) => s.errors)];
  const rows = [
    ['', `${Math.round(now.at)} of ${short(duration)} s`, bar(now.at / duration)],
    ['users', `${count(now.users)} of ${count(users)}`, spark(seconds, (s) => s.users)],
    ['requests/s', count(now.requests), spark(seconds, (s) => s.requests)],
    ['p50', now.requests > 0 ? ms(now.p50) : '', spark(seconds, (s) => s.p50)],
    ['p99', now.requests > 0 ? ms(now.p99) : '', spark(seconds, (s) => s.p99)],
    ['errors', `${count(errors)} of ${count(requests)}`, spark(seconds, (s) => s.errors)],
  ];
  if (now.redis) {
    const dialled = sum((s) => s.redis?.dialled ?? 0);
    const each = requests > 0 ? `, ${short(dialled / requests)} a request` : '';
    rows.push([
      'connections',
      `${count(now.redis.open)}, most ${count(now.redis.peak)}`,
      spark(seconds, (s) => s.redis?.peak),
    ]);
    rows.push(['new ones', `${count(dialled)}${each}`, spark(seconds, (s) => s.redis?.dialled)]);
  }
  if (now.pool) {
    rows.push([
      'pool',
      `${now.pool.inUse} in use of ${now.pool.maxActive}`,
      spark(seconds, (s) => s.pool?.inUse),
    ]);
    rows.push(['waiting', count(now.pool.waiting), spark(seconds, (s) => s.pool?.waiting)]);
  }
  if (now.appCpu !== undefined) rows.push(['CPU, app', percent(now.appCpu), spark(seconds, (s) => s.appCpu)]);
  if (now.redis) rows.push(['CPU, Redis', percent(now.redis.cpu), spark(seconds, (s) => s.redis?.cpu)]);
  return rows.map(([name, value, drawn]) => `${name.padStart(12)}  ${value.padEnd(24)} ${drawn}`).join('\n');
}

/** The last seconds as bars; nothing at all is the lowest. @param {Second[]} seconds @param {(second: Second) => number | undefined} read */
function spark(seconds, read) {
  const values = seconds.slice(-WIDTH).map((second) => read(second) ?? 0);
  const most = Math.max(...values);
  return values.map((value) => EIGHTHS[most > 0 ? Math.round((value / most) * 7) : 0]).join('');
}

/** @param {number} share */
function bar(share) {
  const full = Math.min(WIDTH, Math.round(share * WIDTH));
  return '█'.repeat(full).padEnd(WIDTH, '░');
}
