import { expect, test } from 'vitest';
import { mayBeTooMany, type Numbers, whyTooMany } from '../../src/ioredis/capacity.ts';

const NUMBERS: Numbers = { connected: 1, maxClients: 100, maxActive: 10, clientName: 'sessions' };

const client = (name: string, address: string, age = 60): string =>
  `id=3 addr=${address}:50001 laddr=10.0.0.1:6379 fd=8 name=${name} age=${age} idle=0 lib-name=ioredis lib-ver=6`;

/** A reply to CLIENT LIST. */
const list = (...clients: string[]): string => `${clients.join('\n')}\n`;

const times = (count: number, line: string): string[] => Array.from({ length: count }, () => line);

test('a pool that has room for itself and its like is told nothing', () => {
  expect(whyTooMany(NUMBERS, undefined)).toBeUndefined();
  expect(whyTooMany({ ...NUMBERS, connected: 91 }, undefined)).toBeUndefined();
  const nine = Array.from({ length: 9 }, (_, i) => client('sessions', `10.0.0.${i}`));
  const others = times(10, client('jobs', '10.0.0.1'));
  expect(whyTooMany(NUMBERS, list(...nine, ...others))).toBeUndefined();
});

test('without a list, what is connected and this pool have to fit', () => {
  expect(whyTooMany({ ...NUMBERS, connected: 92 }, undefined)).toBe(
    'the server allows 100 clients (maxclients), but 1 process with maxActive 10 and 91 other connections come to 101',
  );
});

test('processes at other addresses under the same name count with all that they may open', () => {
  const ten = Array.from({ length: 10 }, (_, i) => client('sessions', `10.0.0.${i}`));
  expect(whyTooMany(NUMBERS, list(...ten))).toBeUndefined();
  expect(whyTooMany(NUMBERS, list(...ten, client('jobs', '10.0.0.1')))).toBe(
    'the server allows 100 clients (maxclients), but 10 processes with maxActive 10 and 1 other connections come to 101',
  );
});

test('more connections from one address than one pool may have are of several processes', () => {
  const twenty = times(20, client('sessions', '10.0.0.1'));
  expect(whyTooMany({ ...NUMBERS, maxClients: 20 }, list(...twenty))).toBeUndefined();
  const more = list(...twenty, client('sessions', '10.0.0.1'));
  expect(whyTooMany({ ...NUMBERS, maxClients: 29 }, more)).toContain('3 processes with maxActive 10');
});

test('young connections without a name do not count: they may be our own dials', () => {
  const young = list(client('sessions', '10.0.0.1'), ...times(4, client('', '10.0.0.1', 0)));
  expect(whyTooMany({ ...NUMBERS, maxClients: 10 }, young)).toBeUndefined();
  const old = list(client('sessions', '10.0.0.1'), client('', '10.0.0.1', 60));
  expect(whyTooMany({ ...NUMBERS, maxClients: 10 }, old)).toContain('1 other connections come to 11');
});

test.each([
  ['IPv6', '[::1]'],
  ['a unix socket', '/tmp/redis.sock'],
])('addresses may be of %s', (_, address) => {
  const one = list(client('sessions', address));
  expect(whyTooMany({ ...NUMBERS, maxClients: 9 }, one)).toContain('1 process with');
  expect(whyTooMany({ ...NUMBERS, maxClients: 10 }, one)).toBeUndefined();
});

test.each(['', 'OK', '\n\n', 'id=1 fd=3'])(
  'of a list that says nothing (%j) this process is left',
  (text) => {
    expect(whyTooMany(NUMBERS, text)).toBeUndefined();
    expect(whyTooMany({ ...NUMBERS, maxClients: 9 }, text)).toContain(
      '1 process with maxActive 10 and 0 other',
    );
  },
);

test('a limit that is not known is no reason', () => {
  expect(whyTooMany({ ...NUMBERS, maxClients: Number.NaN }, undefined)).toBeUndefined();
});

test('there is nothing to look at while each client could be a pool', () => {
  expect(mayBeTooMany(10, 10, 100)).toBe(false);
  expect(mayBeTooMany(11, 10, 100)).toBe(true);
  expect(mayBeTooMany(1, 10, undefined)).toBe(true);
});
