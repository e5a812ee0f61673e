/** What follows from what was measured: a pure function. docs/load-testing.md says where the limits come from. */
import { atNode, count, ms, percent, plural, short } from './format.js';

/** From here on a share of one core is near its end: queues grow without bound towards 1. */
const BUSY = 0.8;
/** Dials: more than this a request, and more than twice as many as were ever open, are no warm-up. */
const DIALS = 0.05;
/** Waiting is worth a word from this share of acquires, and of a request's time, on. */
const WAITING = 0.01;
const WAITING_TIME = 0.1;
/** Above this average use, chance alone makes callers wait. */
const ROOM = 0.7;
/** The tester's own event loop: later than this, its clock is. */
const LATE_MS = 50;
/** Fewer requests say nothing about whether a Redis is the right one. */
const ENOUGH = 20;

/** @typedef {import('./judge.js').Facts} Facts */
/** @typedef {import('./judge.js').Verdict} Verdict */

/** @type {typeof import('./judge.js').judge} */
export function judge(facts, thresholds) {
  if (facts.requests === 0) {
    const text = 'No request was made, so nothing was measured: let it run for longer.';
    return { verdicts: [{ about: 'run', says: 'act', text }], broken: [text] };
  }
  const idle = facts.redis !== undefined && facts.redis.commands <= 0;
  const strange = idle && facts.requests >= ENOUGH ? stranger(facts) : undefined;
  const broken = brokenBy(facts, thresholds);
  const verdicts = [
    ...busyTester(facts),
    ...(strange ? [verdict('run', 'act', strange)] : maxActives(facts)),
    ...(idle ? [] : fleet(facts, thresholds)),
    ...(idle && !strange ? [verdict('run', 'unknown', tooFew(facts))] : []),
    idle ? bottleneckWithoutRedis(facts) : bottleneck(facts),
    ...broken.map((text) => verdict('threshold', 'act', text)),
  ];
  return { verdicts, broken: strange ? [strange, ...broken] : broken };
}

/** @type {(about: Verdict['about'], says: Verdict['says'], text: string) => Verdict} */
const verdict = (about, says, text) => ({ about, says, text });

/** The service has sent nothing to the Redis that was watched. @param {Facts} facts */
const stranger = ({ requests }) =>
  `The Redis that was watched got no command while ${plural(requests, 'request')} were served: is it the one that the service uses?`;

/** @param {Facts} facts */
const tooFew = (facts) => `${stranger(facts)} These are too few to tell: let at least ${ENOUGH} be made.`;

/** What was open is closed and dialled again. @param {import('./judge.js').RedisFacts} redis @param {number} requests */
const churns = ({ newConnections, peak }, requests) =>
  newConnections / requests >= DIALS && newConnections > 2 * peak;

/** @param {Facts} facts @param {import('./judge.js').Thresholds} limits */
function brokenBy(facts, { maxP99, maxErrors, maxNewConnectionsPerRequest }) {
  const { requests, errors, latency, redis } = facts;
  const broken = [];
  if (maxP99 !== undefined && latency.p99 > maxP99)
    broken.push(`p99 was ${ms(latency.p99)}; --max-p99 allows ${ms(maxP99)}.`);
  if (maxErrors && 'count' in maxErrors && errors > maxErrors.count)
    broken.push(`${plural(errors, 'error')}; --max-errors allows ${count(maxErrors.count)}.`);
  if (maxErrors && 'share' in maxErrors && errors / requests > maxErrors.share)
    broken.push(
      `${plural(errors, 'error')} in ${plural(requests, 'request')}, ${percent(errors / requests)}; --max-errors allows ${percent(maxErrors.share)}.`,
    );
  if (maxNewConnectionsPerRequest !== undefined && redis) {
    const each = redis.newConnections / requests;
    if (each > maxNewConnectionsPerRequest)
      broken.push(
        `${short(each)} new connections per request (${count(redis.newConnections)} in all); ` +
          `--max-new-connections-per-request allows ${maxNewConnectionsPerRequest}.`,
      );
  }
  return broken;
}

/** @param {Facts} facts */
function busyTester({ tester: { cpuShare, lagP99Ms } }) {
  if (cpuShare < BUSY && lagP99Ms < LATE_MS) return [];
  const who = cpuShare < BUSY ? 'The machine' : 'The tester itself';
  return [
    verdict(
      'tester',
      'act',
      `${who} was busy: the tester used ${percent(cpuShare)} of a core, and its timers came up to ${ms(lagP99Ms)} late. So the times are ` +
        'too high: give it a machine of its own, or fewer users.',
    ),
  ];
}

/**
 * Of a pool of a cluster, whose `maxActive` is a bound of each node: what is to be done at any node, or else the busiest.
 *
 * @param {Facts} facts
 */
function maxActives(facts) {
  return [...new Set(facts.pools.map(({ name }) => name))].flatMap((name) => {
    const nodes = facts.pools.filter((pool) => pool.name === name);
    const act = nodes.map((pool) => maxActive(facts, pool)).filter(({ says }) => says === 'act');
    if (act.length > 0) return act;
    const busier = (a, b) => a.waits - b.waits || a.peak.open - b.peak.open;
    const busiest = nodes.reduce((most, pool) => (busier(pool, most) > 0 ? pool : most));
    return [maxActive(facts, busiest, nodes.length > 1 ? `, the busiest of ${nodes.length} nodes,` : '')];
  });
}

/** Little's law: on average, in use = leases a second × seconds that one is held. @param {Facts} facts @param {import('./judge.js').PoolFacts} pool */
function maxActive({ seconds }, pool, which = '') {
  const {
    name,
    node,
    maxActive: most,
    leases,
    holdSeconds,
    waits,
    waitSeconds,
    waitP99Ms,
    excess,
    errors,
    peak,
  } = pool;
  const refused = (errors.POOL_EXHAUSTED ?? 0) + (errors.POOL_ACQUIRE_TIMEOUT ?? 0);
  const [share, inUse] = [leases > 0 ? waits / leases : 0, holdSeconds / seconds];
  const held = leases > 0 ? (holdSeconds / leases) * 1000 : 0;
  const little =
    leases > 0
      ? `${plural(leases, 'lease')} in ${short(seconds)} s, held for ${ms(held)} on average, are ${short(inUse)} connections in use on ` +
        `average (Little's law)${peak.lanes > 0 ? `, besides ${plural(peak.lanes, 'lane')}` : ''}`
      : `no lease was taken, all commands shared lanes (pool.redis)`;
  const waited =
    waits > 0
      ? `${percent(share)} of acquires waited, for ${ms((waitSeconds / waits) * 1000)} on average (p99 of all: ${ms(waitP99Ms)})`
      : 'nobody waited';
  const numbers = `${little}; ${waited}; at most ${peak.open} of ${most} connections were open.`;
  const head = `maxActive ${most} of pool '${name}'${atNode(node)}${which}`;
  if (refused > 0 || share >= WAITING) {
    if (refused === 0 && inUse < ROOM * (most - peak.lanes)) {
      return verdict(
        'maxActive',
        'good',
        `${head} was enough on average, and waves had to queue: ${numbers} Raise it only if a wait of ${ms(waitP99Ms)} is too long.`,
      );
    }
    // Callers who wait would each hold one if they could: Little's law for both, with room above it.
    const wanted = Math.max(most + 1, Math.ceil((holdSeconds + waitSeconds) / seconds / ROOM) + peak.lanes);
    const lost = refused > 0 ? ` ${plural(refused, 'caller was', 'callers were')} refused or timed out;` : '';
    return verdict(
      'maxActive',
      'act',
      `${head} was too small:${lost} ${numbers} Hold leases for a shorter time, or raise it towards ${wanted}.`,
    );
  }
  if (excess > 2 * most) {
    const lost = `${count(excess)} connections were closed since more were idle than maxIdle, and opened again`;
    return verdict(
      'maxActive',
      'act',
      `${head} was enough, but ${lost}: leave maxIdle at maxActive. ${numbers}`,
    );
  }
  const spare =
    peak.open < most
      ? ` ${Math.max(1, peak.open)} would have done at this load; it costs nothing to leave it.`
      : '';
  return verdict('maxActive', 'good', `${head} was enough: ${numbers}${spare}`);
}

/** processes × connections of each + others ≤ maxclients. @param {Facts} facts @param {import('./judge.js').Thresholds} limits */
function fleet({ redis, pools, requests }, { processes }) {
  if (!redis) return [];
  if (redis.maxClients === undefined)
    return [
      verdict(
        'maxclients',
        'unknown',
        `How many processes would fit is unknown: ${redis.name} does not say how many connections it allows.`,
      ),
    ];
  // Of a pool of a cluster, any one node's.
  const bounds = new Map(pools.map(({ name, maxActive }) => [name, maxActive]));
  const bound = [...bounds.values()].reduce((sum, most) => sum + most, 0);
  const nodes = new Set(pools.flatMap(({ node }) => (node === undefined ? [] : [node]))).size;
  const each = Math.max(1, bound || redis.peak);
  const fit = Math.floor(redis.maxClients / each);
  const which = bound
    ? `a process opens at most ${plural(bound, 'connection')}${nodes > 0 ? ' to each node' : ''} (maxActive)`
    : `the service opened up to ${plural(redis.peak, 'connection')}`;
  const grows = !bound && churns(redis, requests);
  const caution = grows
    ? ' It opened connections all the time, so nothing bounds that number: more load, more connections.'
    : '';
  const watched =
    nodes > 1
      ? ` Of ${nodes} nodes one was watched, so its connections, commands and CPU are not those of all.`
      : '';
  const numbers = `${which}, and ${redis.name} allows ${count(redis.maxClients)}`;
  const says = grows || (processes !== undefined && processes > fit) ? 'act' : 'good';
  const text =
    processes === undefined
      ? `${plural(fit, 'process', 'processes')} like this would fit: ${numbers}.`
      : `${plural(processes, 'process', 'processes')} ${processes > fit ? `do not fit, ${count(fit)} would` : 'fit'}: ${numbers}.`;
  return [verdict('maxclients', says, text + caution + watched)];
}

/** @param {Facts} facts */
function bottleneckWithoutRedis({ redis: _, ...facts }) {
  const found = bottleneck(facts);
  if (found.says === 'act') return found;
  const text = 'Who is the bottleneck needs the figures of the Redis that the service uses.';
  return verdict('bottleneck', 'unknown', text);
}

/** The session store, Redis, the app, or nobody: what comes first in this order explains the rest. @param {Facts} facts */
function bottleneck(facts) {
  const { requests, latency, redis, pools, app, inFlightPeak, seconds } = facts;
  const waitMs = (pools.reduce((sum, { waitSeconds }) => sum + waitSeconds, 0) / requests) * 1000;
  const refused = pools.flatMap(({ errors }) => Object.values(errors)).reduce((sum, n) => sum + n, 0);
  const act = (text) => verdict('bottleneck', 'act', text);
  if (redis && churns(redis, requests))
    return act(
      `The session store: it opened ${count(redis.newConnections)} connections for ${plural(requests, 'request')} ` +
        `(${short(redis.newConnections / requests)} each), up to ${count(redis.peak)} at once. Give it a bound, and keep idle what a wave needs.`,
    );
  if (refused > 0) return act(`The pool: it refused or failed ${plural(refused, 'caller')}.`);
  if (waitMs >= WAITING_TIME * latency.mean)
    return act(
      `The pool: callers waited for a connection for ${ms(waitMs)} of the ${ms(latency.mean)} that a request takes on average.`,
    );
  if (redis && redis.cpuShare >= BUSY)
    return act(
      `Redis: it used ${percent(redis.cpuShare)} of its one core. Look for slow commands, or share it out.`,
    );
  if (app && app.cpuShare >= BUSY)
    return act(
      `The app: it used ${percent(app.cpuShare)} of a core, Redis ${redis ? percent(redis.cpuShare) : 'was not watched'}.`,
    );
  const spent = (share) => (share * seconds * 1000) / requests;
  const parts = [
    app && `app ${percent(app.cpuShare)} of a core, ${ms(spent(app.cpuShare))} a request`,
    redis && `Redis ${percent(redis.cpuShare)}, ${ms(spent(redis.cpuShare))} a request`,
  ].filter(Boolean);
  if (parts.length === 0)
    return verdict('bottleneck', 'unknown', 'Who is the bottleneck needs --redis and --metrics to say.');
  const none = `Neither the store nor the app was at its limit: ${parts.join('; ')}.`;
  if (!app)
    return verdict(
      'bottleneck',
      'unknown',
      `${parts.join('; ')}. Who is the bottleneck needs --metrics to say, too.`,
    );
  const inWave = inFlightPeak * spent(app.cpuShare);
  const wave =
    inFlightPeak > 1 && inWave >= latency.p99 / 2
      ? ` In a wave it was the app: ${count(inFlightPeak)} requests at once are ${ms(inWave)} of its CPU, and p99 was ${ms(latency.p99)}.`
      : '';
  return verdict('bottleneck', 'good', none + wave);
}
