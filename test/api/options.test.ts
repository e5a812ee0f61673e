import { describe, expect, test } from 'vitest';
import { PoolError } from '../../src/api/errors.ts';
import type { PoolOptions } from '../../src/api/options.ts';
import { DEFAULTS, resolveOptions } from '../../src/api/resolve-options.ts';

/** Resolves what TypeScript would not let through. */
const resolve = (given: object) => resolveOptions(given as PoolOptions);

/** The message that `given` is refused with. */
function refusal(given: object): string {
  try {
    resolve(given);
  } catch (error) {
    if (error instanceof PoolError && error.code === 'POOL_INVALID_OPTION') return error.message;
    throw error;
  }
  throw new Error('was not refused');
}

const LONGEST = 2 ** 31 - 1;
const COUNTS = {
  ...{ maxActive: 1, maxIdle: 0, minIdle: 0, maxWaiting: 0, maxConnecting: 1 },
  ...{ maxLanes: 1, maxInFlight: 1, maxQueuedCommands: 1, maxQueuedBytes: 1 },
};
const TIMES = {
  acquireTimeoutMs: 0,
  outageWaitMs: 0,
  connectTimeoutMs: 1,
  idleTimeoutMs: 0,
  maxLifetimeMs: 1,
  reapIntervalMs: 1,
  checkAfterIdleMs: 0,
  replyTimeoutMs: 1,
  leaseReplyTimeoutMs: 1,
  leakThresholdMs: 0,
};

test('without options, everything has the default that the documentation names', () => {
  const { createClient, ...rest } = resolve({});
  expect(createClient).toBe(DEFAULTS.createClient);
  expect(rest).toEqual({
    redis: 'redis://127.0.0.1:6379',
    name: 'redis-pool',
    maxActive: 10,
    maxIdle: 10,
    minIdle: 0,
    wait: true,
    maxWaiting: 1000,
    acquireTimeoutMs: 5000,
    outageWaitMs: 5000,
    connectTimeoutMs: 2000,
    maxConnecting: 4,
    idleTimeoutMs: 60_000,
    maxLifetimeMs: 1_800_000,
    reapIntervalMs: 10_000,
    checkAfterIdleMs: 5000,
    replyTimeoutMs: 10_000,
    leaseReplyTimeoutMs: 60_000,
    maxLanes: 4,
    maxInFlight: 10_000,
    maxQueuedCommands: 50_000,
    maxQueuedBytes: 67_108_864,
    testOnBorrow: undefined,
    onConnect: undefined,
    leakThresholdMs: Number.POSITIVE_INFINITY,
    hooks: {},
  });
});

test('every default is an option, and would itself be accepted', () => {
  expect(Object.keys(resolve({})).sort()).toEqual(Object.keys(DEFAULTS).sort());
  expect(resolve({ ...DEFAULTS })).toEqual(DEFAULTS);
});

test('the defaults and what was resolved are frozen, the hooks in them too', () => {
  const hooks = { drain: () => {} };
  const resolved = resolve({ maxActive: 3, hooks });
  for (const one of [DEFAULTS, DEFAULTS.hooks, resolved, resolved.hooks])
    expect(Object.isFrozen(one)).toBe(true);
  expect(Object.isFrozen(hooks)).toBe(false);
});

test('what the caller changes afterwards changes nothing', () => {
  const given: { maxActive: number; hooks: PoolOptions['hooks'] } = {
    maxActive: 3,
    hooks: { drain: () => {} },
  };
  const resolved = resolve(given);
  given.maxActive = 0;
  Object.assign(given.hooks ?? {}, { acquire: () => {} });
  expect(resolved.maxActive).toBe(3);
  expect(Object.keys(resolved.hooks)).toEqual(['drain']);
});

test('undefined means the default, for every option', () => {
  for (const option of Object.keys(DEFAULTS)) {
    expect(resolve({ [option]: undefined }), option).toEqual(DEFAULTS);
  }
});

test('null is no default and no zero: it is refused, for every option', () => {
  for (const option of Object.keys(DEFAULTS)) {
    expect(refusal({ [option]: null }), option).toMatch(new RegExp(`^option ${option} must be .*null`));
  }
});

describe('counts', () => {
  for (const [option, least] of Object.entries(COUNTS)) {
    test(`${option} is an integer of at least ${least}`, () => {
      // The other counts leave room for it.
      const around = { maxActive: 1e6, maxIdle: option === 'minIdle' ? 1e6 : undefined };
      for (const right of [least, least + 1, 1e6]) {
        expect(resolve({ ...around, [option]: right })[option as 'maxIdle']).toBe(right);
      }
      const wrong = [least - 1, least + 0.5, -1, -5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53];
      for (const value of wrong) {
        const got = option === 'maxActive' && value === 0 ? '0: in other' : `${value}`;
        expect(refusal({ [option]: value })).toContain(
          `option ${option} must be an integer of at least ${least}, got ${got}`,
        );
      }
    });

    test(`${option} is no string, boolean, bigint, object or array`, () => {
      expect(refusal({ [option]: '5' })).toBe(
        `option ${option} must be an integer of at least ${least}, got '5'`,
      );
      expect(refusal({ [option]: 5n })).toContain('got 5n');
      for (const value of [true, {}, [], [5], new Date(5), () => 5]) refusal({ [option]: value });
    });
  }

  test('maxActive 0 has a special message, because in other pools it means unlimited', () => {
    const sentence = /got 0: in other pools 0 means unlimited, here a bound is required/;
    expect(refusal({ maxActive: 0 })).toMatch(sentence);
    expect(refusal({ maxActive: -0 })).toMatch(sentence);
    expect(refusal({ maxActive: -1 })).not.toMatch(sentence);
    expect(refusal({ maxConnecting: 0 })).not.toMatch(sentence);
    expect(refusal({ maxLifetimeMs: 0 })).toMatch(
      /Infinity, got 0: in other pools 0 means for ever, here Infinity does/,
    );
  });

  test('maxIdle follows maxActive when only that is given, up and down', () => {
    expect(resolve({ maxActive: 25 }).maxIdle).toBe(25);
    expect(resolve({ maxActive: 2 }).maxIdle).toBe(2);
    expect(resolve({ maxActive: 25, maxIdle: undefined }).maxIdle).toBe(25);
    expect(resolve({ maxActive: 25, maxIdle: 4 }).maxIdle).toBe(4);
    expect(resolve({ maxIdle: 4 })).toMatchObject({ maxActive: 10, maxIdle: 4 });
  });

  test('maxIdle may equal maxActive, and not exceed it', () => {
    expect(resolve({ maxActive: 3, maxIdle: 3 }).maxIdle).toBe(3);
    expect(refusal({ maxActive: 3, maxIdle: 4 })).toBe('option maxIdle must be at most maxActive (3), got 4');
    expect(refusal({ maxIdle: 11 })).toBe('option maxIdle must be at most maxActive (10), got 11');
  });

  test('minIdle may equal maxIdle, and not exceed it', () => {
    expect(resolve({ maxIdle: 3, minIdle: 3 }).minIdle).toBe(3);
    expect(refusal({ maxIdle: 3, minIdle: 4 })).toBe('option minIdle must be at most maxIdle (3), got 4');
    expect(refusal({ minIdle: 11 })).toBe('option minIdle must be at most maxIdle (10), got 11');
    expect(refusal({ maxActive: 2, minIdle: 3 })).toBe('option minIdle must be at most maxIdle (2), got 3');
  });

  test('maxIdle 0, minIdle 0 and maxWaiting 0 are zero, and not unlimited', () => {
    const zero = { maxIdle: 0, minIdle: 0, maxWaiting: 0 };
    expect(resolve(zero)).toMatchObject(zero);
  });
});

describe('times', () => {
  for (const [option, least] of Object.entries(TIMES)) {
    test(`${option} is milliseconds from ${least}, as long as a timer can be, or Infinity`, () => {
      for (const right of [least, least + 0.5, 1, 1e6, LONGEST, Number.POSITIVE_INFINITY]) {
        expect(resolve({ [option]: right })[option as 'idleTimeoutMs']).toBe(right);
      }
      const wrong = [least - 0.001, -1, Number.NaN, Number.NEGATIVE_INFINITY, LONGEST + 1, 2 ** 53];
      for (const value of wrong) {
        expect(refusal({ [option]: value })).toBe(
          `option ${option} must be milliseconds from ${least} to ${LONGEST}, or Infinity, got ${value}`,
        );
      }
    });

    test(`${option} is no string, boolean, bigint, object or array`, () => {
      expect(refusal({ [option]: '1000' })).toContain("got '1000'");
      for (const value of ['1s', '', true, 5n, {}, [], [5], new Date(5)]) refusal({ [option]: value });
    });
  }
});

test('wait is true or false, and nothing that is taken for it', () => {
  expect(resolve({ wait: false }).wait).toBe(false);
  expect(resolve({ wait: true }).wait).toBe(true);
  for (const value of [0, 1, 'false', '', {}])
    expect(refusal({ wait: value })).toContain('true or false, got');
});

test('redis with a Connector that is none, or sentinels without the name of their group, is refused', () => {
  expect(refusal({ redis: { Connector: 'not a class' as never } })).toMatch(/Connector/);
  expect(refusal({ redis: { sentinels: [{ port: 26379 }] } })).toMatch(/sentinels.*name/);
  expect(refusal({ redis: { sentinels: [], name: 'group' } })).toMatch(/sentinels/);
});

test('name is printable ASCII without spaces, since Redis takes no other', () => {
  for (const name of ['a', 'session-pool:7', '!', '~', 'x'.repeat(500)])
    expect(resolve({ name }).name).toBe(name);
  for (const name of ['', ' ', 'a b', 'a\n', 'a\tb', 'a\u007f', 'pööl', '池', 5, {}, Symbol('x')]) {
    expect(refusal({ name })).toContain('option name must be printable ASCII without spaces, got');
  }
});

test('createClient, testOnBorrow and onConnect are functions', () => {
  for (const option of ['createClient', 'testOnBorrow', 'onConnect']) {
    const f = () => {};
    expect(resolve({ [option]: f })[option as 'onConnect']).toBe(f);
    for (const value of ['PING', true, 1, {}, []]) {
      expect(refusal({ [option]: value })).toContain(`option ${option} must be a function, got`);
    }
  }
});

describe('hooks', () => {
  test('are listeners by event name; undefined is none', () => {
    const acquire = () => {};
    expect(resolve({ hooks: { acquire, release: undefined } }).hooks.acquire).toBe(acquire);
  });

  test('are an object', () => {
    for (const value of ['acquire', true, 1, () => {}]) {
      expect(refusal({ hooks: value })).toContain(
        'option hooks must be an object of listeners by event name',
      );
    }
  });

  test('that are no functions are refused by name', () => {
    for (const value of ['f', 1, {}, null]) {
      expect(refusal({ hooks: { acquire: value } })).toContain(
        'option hooks.acquire must be a function, got',
      );
    }
  });

  test('for an event that there is not are refused, with the nearest', () => {
    expect(refusal({ hooks: { connecterror: () => {} } })).toBe(
      'unknown event `connecterror`, did you mean `connectError`?',
    );
    expect(refusal({ hooks: { released: undefined } })).toBe(
      'unknown event `released`, did you mean `release`?',
    );
    expect(refusal({ hooks: { somethingElseEntirely: () => {} } })).toContain(
      'known are acquire, release, wait',
    );
    expect(refusal({ hooks: [() => {}] })).toContain('unknown event `0`');
  });
});

describe('an unknown option', () => {
  test('is refused with the nearest name', () => {
    for (const [given, meant] of [
      ['maxactive', 'maxActive'],
      ['maxActiv', 'maxActive'],
      ['MAX_ACTIVE', 'maxActive'],
      ['idleTimeoutMillis', 'idleTimeoutMs'],
      ['acquireTimeoutMillis', 'acquireTimeoutMs'],
      ['idleTimeout', 'idleTimeoutMs'],
      ['maxWaitingClients', 'maxWaiting'],
      ['hook', 'hooks'],
    ]) {
      expect(refusal({ [`${given}`]: 5 })).toBe(`unknown option \`${given}\`, did you mean \`${meant}\`?`);
    }
  });

  test('that is like none is refused with all there are', () => {
    const all = Object.keys(DEFAULTS);
    const message = refusal({ evictionRunIntervalMillisXYZ: 5 });
    expect(message).toContain('unknown option `evictionRunIntervalMillisXYZ`');
    for (const option of all) expect(message).toContain(option);
  });

  test('min, as generic-pool has it, leads to minIdle one way or the other', () => {
    expect(refusal({ min: 2 })).toMatch(/^unknown option `min`.*minIdle/);
  });

  test('is refused even when its value is undefined, for it was meant to do something', () => {
    expect(refusal({ maxactive: undefined })).toContain('maxActive');
  });

  test('is one that only objects have: a name from the prototype is none of ours', () => {
    for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
      expect(refusal({ [name]: 5 })).toContain(`unknown option \`${name}\``);
    }
  });
});

test('a wrong value is refused with a PoolError that belongs to no pool', () => {
  try {
    resolve({ maxActive: 0 });
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(PoolError);
    expect(error).toMatchObject({ code: 'POOL_INVALID_OPTION', pool: undefined, stats: undefined });
  }
});
