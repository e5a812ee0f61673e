/** What was measured, as rows: for the terminal, and for the report. */
import { atNode, count, ms, percent, short } from './format.js';

/** @typedef {string[][]} Rows the first has the heads */

/** What users asked for. @param {ReturnType<import('./recorder.js').Recorder['summary']>} summary @returns {Rows} */
export function requestRows({ requests, errors, latency, byName }) {
  const row = (name, count_, errors_, { p50, p95, p99, max }) => [
    ...[name, count(count_), count(errors_)],
    ...[p50, p95, p99, max].map(ms),
  ];
  return [
    ['request', 'count', 'errors', 'p50', 'p95', 'p99', 'max'],
    ...byName.map((one) => row(one.name, one.latency.count, one.errors, one.latency)),
    row('all', requests, errors, latency),
  ];
}

/** What that cost. @param {import('./judge.js').Facts} facts @returns {Rows} */
export function costRows({ seconds, requests, redis, pools, app, tester }) {
  const each = (share) =>
    `${percent(share)} of a core, ${ms((share * seconds * 1000) / Math.max(1, requests))} a request`;
  return [
    ['', ''],
    ['requests a second', short(requests / seconds)],
    ...(redis
      ? [
          ['new connections at Redis', count(redis.newConnections)],
          ['new connections per request', short(redis.newConnections / Math.max(1, requests))],
          ['connections at once, at most', `${count(redis.peak)}${limitOf(redis)}`],
          ['connections before', count(redis.before)],
          ['commands per request', short(redis.commands / Math.max(1, requests))],
          ['CPU of Redis', each(redis.cpuShare)],
          ...(redis.replyP99Ms > 0 ? [['answers of Redis to this tester, p99', ms(redis.replyP99Ms)]] : []),
        ]
      : []),
    ...pools.flatMap(({ name, node, maxActive, leases, waits, peak }) => [
      [
        `pool '${name}'${atNode(node)}, at most`,
        `${peak.inUse} in use, ${peak.open} open of ${maxActive}, ${peak.waiting} waiting`,
      ],
      [`pool '${name}'${atNode(node)}, acquires`, `${count(leases)} leases, ${count(waits)} waits`],
    ]),
    ...(app ? [['CPU of the app', each(app.cpuShare)]] : []),
    ...(app?.lagP99Ms !== undefined ? [['event loop of the app late, p99', ms(app.lagP99Ms)]] : []),
    ['CPU of this tester', each(tester.cpuShare)],
  ];
}

/** @param {import('./judge.js').RedisFacts} redis */
const limitOf = ({ maxClients }) => (maxClients === undefined ? '' : ` of ${count(maxClients)} (maxclients)`);

/** @param {Rows} rows */
export function drawRows([heads, ...rows]) {
  const widths = heads.map((_, column) => Math.max(...[heads, ...rows].map((row) => row[column].length)));
  const line = ([head, ...cells]) =>
    [
      head.padEnd(widths[0]),
      ...cells.map((cell, i) => (heads[i + 1] ? cell.padStart(widths[i + 1]) : cell)),
    ].join('   ');
  if (heads.every((head) => head === '')) return rows.map(line).join('\n');
  return [line(heads), '─'.repeat(line(heads).length), ...rows.map(line)].join('\n');
}
