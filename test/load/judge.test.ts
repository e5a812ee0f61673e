import { describe, expect, test } from 'vitest';
import type { Facts, PoolFacts, RedisFacts, Thresholds, Verdict } from '../../load/lib/judge.js';
import { judge } from '../../load/lib/judge.js';

const REDIS: RedisFacts = {
  ...{ name: 'redis-server 7.0.15', maxClients: 10_000, before: 1, peak: 10, newConnections: 10 },
  ...{ commands: 2000, cpuShare: 0.02, replyP99Ms: 0.5 },
};

const POOL: PoolFacts = {
  ...{
    name: 'sessions',
    maxActive: 10,
    leases: 5000,
    holdSeconds: 20,
    waits: 0,
    waitSeconds: 0,
    waitP99Ms: 0,
  },
  ...{ excess: 0, errors: {}, peak: { inUse: 6, open: 8, lanes: 0, waiting: 0 } },
};

/** A quiet run: nothing is to be done. */
function facts(given: Partial<Facts> = {}): Facts {
  return {
    ...{ seconds: 10, requests: 1000, errors: 0, inFlightPeak: 1 },
    latency: { count: 1000, p50: 5, p95: 20, p99: 30, max: 40, mean: 6 },
    tester: { cpuShare: 0.1, lagP99Ms: 2 },
    ...{ redis: REDIS, pools: [POOL], app: { cpuShare: 0.2 } },
    ...given,
  };
}

function verdictOn(about: Verdict['about'], given: Partial<Facts>, thresholds: Thresholds = {}): Verdict {
  const found = judge(facts(given), thresholds).verdicts.find((one) => one.about === about);
  return found ?? expect.fail(`no verdict on ${about}`);
}

test('a quiet run gets a good judgement on everything, and breaks nothing', () => {
  const { verdicts, broken } = judge(facts(), { maxP99: 30, maxErrors: { count: 0 } });
  expect(verdicts.map(({ about, says }) => [about, says])).toEqual([
    ['maxActive', 'good'],
    ['maxclients', 'good'],
    ['bottleneck', 'good'],
  ]);
  expect(broken).toEqual([]);
});

test('a run without a request is worth nothing, and says so', () => {
  const { verdicts, broken } = judge(facts({ requests: 0 }), {});
  expect(verdicts).toHaveLength(1);
  expect(broken).toEqual(['No request was made, so nothing was measured: let it run for longer.']);
});

describe('maxActive', () => {
  test('is judged by the average in use, which is leases a second times the time held', () => {
    // 5000 leases, 20 s held in all: 500 a second × 4 ms = 2.
    const { text } = verdictOn('maxActive', {});
    expect(text).toContain(
      '5,000 leases in 10 s, held for 4 ms on average, are 2 connections in use on average',
    );
    expect(text).toContain('nobody waited; at most 8 of 10 connections were open. 8 would have done');
  });

  test('was too small where many wait and the average is near it: what those who wait would hold is counted in', () => {
    // In use 9 on average, and 5 more waiting: (90 + 50) / 10 s / 0.7 = 20.
    const pool = { ...POOL, holdSeconds: 90, waits: 2500, waitSeconds: 50, waitP99Ms: 80 };
    const { says, text } = verdictOn('maxActive', { pools: [pool] });
    expect(says).toBe('act');
    expect(text).toContain("maxActive 10 of pool 'sessions' was too small: 5,000 leases");
    expect(text).toContain('50 % of acquires waited, for 20 ms on average (p99 of all: 80 ms)');
    expect(text).toContain('raise it towards 20.');
  });

  test('was enough where only waves wait, and how long they did is said', () => {
    const pool = { ...POOL, waits: 500, waitSeconds: 5, waitP99Ms: 25 };
    const { says, text } = verdictOn('maxActive', { pools: [pool] });
    expect(says).toBe('good');
    expect(text).toContain('was enough on average, and waves had to queue');
    expect(text).toContain('Raise it only if a wait of 25 ms is too long.');
  });

  test('was too small where callers were refused or timed out, whatever the average', () => {
    const pool = { ...POOL, errors: { POOL_EXHAUSTED: 3, POOL_ACQUIRE_TIMEOUT: 4 } };
    const { says, text } = verdictOn('maxActive', { pools: [pool] });
    expect(says).toBe('act');
    expect(text).toContain('was too small: 7 callers were refused or timed out;');
  });

  test('is no help where maxIdle is below what a wave needs: what is closed is dialled again', () => {
    const { says, text } = verdictOn('maxActive', { pools: [{ ...POOL, excess: 400 }] });
    expect(says).toBe('act');
    expect(text).toContain('400 connections were closed since more were idle than maxIdle');
  });

  test('has nothing to do with lanes, where no lease was taken', () => {
    const pool = { ...POOL, leases: 0, holdSeconds: 0, peak: { inUse: 2, open: 2, lanes: 2, waiting: 0 } };
    const { says, text } = verdictOn('maxActive', { pools: [pool] });
    expect(says).toBe('good');
    expect(text).toContain('no lease was taken, all commands shared lanes (pool.redis)');
  });

  test('is a bound of each node, where the pool is one of a cluster: what is judged is the busiest node', () => {
    const at = (node: string, open: number): PoolFacts => ({
      ...POOL,
      node,
      peak: { ...POOL.peak, open },
    });
    const { verdicts } = judge(facts({ pools: [at('a:1', 4), at('b:1', 7), at('c:1', 2)] }), {});
    const on = verdicts.filter(({ about }) => about === 'maxActive');
    expect(on.map(({ says }) => says)).toEqual(['good']);
    expect(on[0]?.text).toContain(
      "maxActive 10 of pool 'sessions' at b:1, the busiest of 3 nodes, was enough",
    );
    expect(on[0]?.text).toContain('at most 7 of 10 connections were open. 7 would have done');
  });

  test('is judged at each node where something is to be done', () => {
    const refused = { ...POOL, errors: { POOL_EXHAUSTED: 3 } };
    const pools = ['a:1', 'b:1', 'c:1'].map((node, i) => ({ ...(i > 0 ? refused : POOL), node }));
    const on = judge(facts({ pools }), {}).verdicts.filter(({ about }) => about === 'maxActive');
    expect(on.map(({ says, text }) => [says, text.slice(0, 44)])).toEqual([
      ['act', "maxActive 10 of pool 'sessions' at b:1 was t"],
      ['act', "maxActive 10 of pool 'sessions' at c:1 was t"],
    ]);
  });

  test('is judged for each pool by itself', () => {
    const tight = { ...POOL, name: 'jobs', maxActive: 1, holdSeconds: 9.9, waits: 4000, waitSeconds: 400 };
    const { verdicts } = judge(facts({ pools: [POOL, tight] }), {});
    const on = verdicts.filter(({ about }) => about === 'maxActive');
    expect(on.map(({ says }) => says)).toEqual(['good', 'act']);
    expect(on[1]?.text).toContain("pool 'jobs'");
  });
});

describe('maxclients', () => {
  test('fits as many processes as maxActive goes into it', () => {
    expect(verdictOn('maxclients', {}).text).toContain('1,000 processes like this would fit');
  });

  test.each([
    [1000, 'good', '1,000 processes fit:'],
    [1001, 'act', '1,001 processes do not fit, 1,000 would:'],
  ])('%i processes of maxActive 10 beside 10 000: %s', (processes, says, text) => {
    const found = verdictOn('maxclients', {}, { processes });
    expect(found.says).toBe(says);
    expect(found.text).toContain(text);
  });

  test('fits as many as one node allows, where the pool is one of a cluster, and says that one was watched', () => {
    const pools = ['a:1', 'b:1', 'c:1'].map((node) => ({ ...POOL, node }));
    const { says, text } = verdictOn('maxclients', { pools });
    expect(says).toBe('good');
    expect(text).toContain(
      '1,000 processes like this would fit: a process opens at most 10 connections to each node (maxActive), and redis-server 7.0.15 allows 10,000',
    );
    expect(text).toContain('Of 3 nodes one was watched');
  });

  test('is unknown where a Redis got no command in a run too short to say that it is the wrong one', () => {
    const redis = { ...REDIS, commands: 0, peak: 0, newConnections: 0 };
    const { verdicts, broken } = judge(facts({ requests: 19, redis, pools: [] }), {});
    expect(broken).toEqual([]);
    expect(verdicts.map(({ about, says }) => [about, says])).toEqual([
      ['run', 'unknown'],
      ['bottleneck', 'unknown'],
    ]);
    expect(verdicts[0]?.text).toContain('got no command while 19 requests were served');
    expect(verdicts[0]?.text).toContain('let at least 20 be made');
  });

  test('goes by what was open where the service has no bound that is known, and warns if it dialled on and on', () => {
    const redis = { ...REDIS, peak: 200, newConnections: 900, maxClients: 1000 };
    const { says, text } = verdictOn('maxclients', { redis, pools: [] }, { processes: 3 });
    expect(says).toBe('act');
    expect(text).toContain('3 processes fit: the service opened up to 200 connections');
    expect(text).toContain('nothing bounds that number');
  });

  test('is unknown where the server does not say it', () => {
    const { maxClients: _, ...redis } = REDIS;
    expect(verdictOn('maxclients', { redis }).says).toBe('unknown');
  });
});

describe('the bottleneck', () => {
  const text = (given: Partial<Facts>): string => verdictOn('bottleneck', given).text;

  test('is a store that dials again and again', () => {
    const redis = { ...REDIS, peak: 93, newConnections: 771 };
    expect(text({ redis })).toContain(
      'The session store: it opened 771 connections for 1,000 requests (0.77 each)',
    );
  });

  test('is not a pool that was filled once, however few requests there were', () => {
    expect(text({ requests: 100 })).toContain('Neither the store nor the app');
  });

  test('is the pool, where waiting for a connection is much of a request', () => {
    const pool = { ...POOL, waits: 4000, waitSeconds: 3 };
    expect(text({ pools: [pool] })).toContain(
      'The pool: callers waited for a connection for 3 ms of the 6 ms',
    );
  });

  test('is the pool, where it refused callers', () => {
    expect(text({ pools: [{ ...POOL, errors: { POOL_EXHAUSTED: 3 } }] })).toContain(
      'The pool: it refused or failed 3',
    );
  });

  test('is Redis, where its core is busy, before the app is', () => {
    const redis = { ...REDIS, cpuShare: 0.9 };
    expect(text({ redis, app: { cpuShare: 0.95 } })).toContain('Redis: it used 90 % of its one core');
  });

  test('is the app, where its core is busy', () => {
    expect(text({ app: { cpuShare: 0.95 } })).toContain('The app: it used 95 % of a core, Redis 2 %');
  });

  test('is the app in waves, where what came at once costs it as much CPU as the slowest waited', () => {
    // 2 ms of CPU a request, 20 at once.
    expect(text({ inFlightPeak: 20 })).toContain(
      'In a wave it was the app: 20 requests at once are 40 ms of its CPU',
    );
    expect(text({ inFlightPeak: 5 })).not.toContain('In a wave');
  });

  test('is unknown without the figures', () => {
    const { redis: _, app: __, ...bare } = facts({ pools: [] });
    const [only] = judge(bare, {}).verdicts;
    expect(only).toMatchObject({ about: 'bottleneck', says: 'unknown' });
  });
});

test.each([
  ['The tester itself was busy: the tester used 85 % of a core', { cpuShare: 0.85, lagP99Ms: 2 }],
  [
    'The machine was busy: the tester used 10 % of a core, and its timers came up to 60 ms late',
    { cpuShare: 0.1, lagP99Ms: 60 },
  ],
])('times are doubted where they cannot be trusted: %s', (text, tester) => {
  const verdict = verdictOn('tester', { tester });
  expect(verdict.text).toContain(text);
  expect(verdict.text).toContain('So the times are too high');
});

test('a Redis that got no command is not the one of the service, which makes the run fail', () => {
  const { verdicts, broken } = judge(facts({ redis: { ...REDIS, commands: 0 } }), {});
  expect(broken).toEqual([expect.stringContaining('got no command while 1,000 requests were served')]);
  expect(verdicts.map(({ about, says }) => [about, says])).toEqual([
    ['run', 'act'],
    ['bottleneck', 'unknown'],
  ]);
});

describe('thresholds', () => {
  const redis = { ...REDIS, newConnections: 80 };

  test.each([
    ['p99', { maxP99: 29.9 }, {}, 'p99 was 30 ms; --max-p99 allows 30 ms.'],
    ['errors', { maxErrors: { count: 2 } }, { errors: 3 }, '3 errors; --max-errors allows 2.'],
    ['a share of errors', { maxErrors: { share: 0.01 } }, { errors: 11 }, '1.1 %; --max-errors allows 1 %.'],
    [
      'connections',
      { maxNewConnectionsPerRequest: 0.05 },
      { redis },
      '0.08 new connections per request (80 in all)',
    ],
  ] as const)('%s above the threshold break it, with both numbers', (_, thresholds, given, sentence) => {
    const { broken, verdicts } = judge(facts(given), thresholds);
    expect(broken).toEqual([expect.stringContaining(sentence)]);
    expect(verdicts.filter(({ about }) => about === 'threshold').map(({ text }) => text)).toEqual(broken);
  });

  test('what is just allowed breaks nothing', () => {
    const thresholds = { maxP99: 30, maxErrors: { share: 0.003 }, maxNewConnectionsPerRequest: 0.08 };
    expect(judge(facts({ errors: 3, redis }), thresholds).broken).toEqual([]);
  });
});
