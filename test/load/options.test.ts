import { expect, test } from 'vitest';
import { BadInput, HELP, readOptions } from '../../load/lib/options.js';

const read = (line: string) => readOptions(line.split(' ').filter(Boolean));

test('without flags it is the example with the pool, in waves', () => {
  const options = read('');
  expect(options).toMatchObject({
    store: 'pool',
    maxActive: 10,
    users: 100,
    spawnRate: 20,
    duration: 30,
    wave: 2,
  });
  expect(options.url).toBeUndefined();
});

test('values are read as what they are', () => {
  const line =
    '--users 500 --spawn-rate 0.5 --duration 2m --wave 0 --wait-scale 0.1 --max-errors 1% --max-p99 250';
  expect(read(line)).toMatchObject({
    ...{
      users: 500,
      spawnRate: 0.5,
      duration: 120,
      wave: 0,
      waitScale: 0.1,
      maxErrors: { share: 0.01 },
      maxP99: 250,
    },
  });
  expect(read('--max-errors 3 --duration=1.5s')).toMatchObject({ maxErrors: { count: 3 }, duration: 1.5 });
});

test.each([
  ['--user 3', 'There is no flag --user, did you mean --users?'],
  ['--Max-p99 3', 'There is no flag --Max-p99, did you mean --max-p99?'],
  ['--something-else', 'There is no flag --something-else: --help lists all.'],
  ['-u 3', 'There is no flag -u'],
  ['run', "'run' is no flag: all flags begin with --."],
  ['--users', '--users needs a value: a whole number from 1 on.'],
  ['--report --users 3', '--report needs a value: a file.'],
  ['--users 0', "--users is '0', but has to be a whole number from 1 on."],
  ['--users 1.5', "--users is '1.5', but has to be a whole number from 1 on."],
  ['--max-active 0', "--max-active is '0', but has to be a whole number from 1 on."],
  ['--spawn-rate -1', "--spawn-rate is '-1', but has to be a number above 0."],
  ['--duration soon', "--duration is 'soon', but has to be a time above 0, such as 45, 45s or 2m."],
  ['--duration 0', "--duration is '0', but has to be a time above 0, such as 45, 45s or 2m."],
  ['--wave 1h', "--wave is '1h', but has to be a time from 0 on, such as 2 or 0.5s."],
  ['--max-errors few', "--max-errors is 'few', but has to be a number from 0 on, or a share such as 1%."],
  ['--store redis', "--store is 'redis', but has to be one of pool, connect-redis, unbounded, generic-pool."],
  [
    '--url 127.0.0.1:3000',
    "--url is '127.0.0.1:3000', but has to be a URL that begins with http:// or https://.",
  ],
  [
    '--redis localhost',
    "--redis is 'localhost', but has to be a URL that begins with redis:// or rediss://.",
  ],
  ['--users 3 --users 4', '--users is given twice.'],
  ['--url http://a --store pool', '--store is about the example, so it means nothing with --url.'],
  [
    '--url http://a --redis memory',
    '--redis memory is where the example runs, so it means nothing with --url.',
  ],
  ['--url http://a --max-new-connections-per-request 1', 'is counted at the Redis: say which with --redis.'],
  ['--metrics http://a', '--metrics is for a service given with --url: the example has its own.'],
  [
    '--store unbounded --max-active 5',
    '--max-active bounds pool and generic-pool, and unbounded has no such bound.',
  ],
])('%s is refused with one sentence', (line, sentence) => {
  expect(() => read(line)).toThrow(BadInput);
  expect(() => read(line)).toThrow(sentence);
});

test('a refused URL of a Redis is not told with its password', () => {
  expect(() => read('--redis http://user:secret@host')).toThrow(BadInput);
  expect(() => read('--redis http://user:secret@host')).not.toThrow('secret');
});

test('help names every flag, and wins over what would be refused', () => {
  expect(read('--help --url http://a --store pool').help).toBe(true);
  for (const flag of ['url', 'scenario', 'redis', 'metrics', 'store', 'max-p99', 'wave'])
    expect(HELP).toContain(`--${flag} `);
});
