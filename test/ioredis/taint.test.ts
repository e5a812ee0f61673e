import { expect, test } from 'vitest';
import { Taint, taintAfter, undoFor } from '../../src/ioredis/taint.ts';

/** The taint after `lines`, each a command with its arguments. */
const after = (...lines: string[]): number =>
  lines.reduce((taint, line) => {
    const [name = '', ...args] = line.split(' ');
    return taintAfter(taint, name, args);
  }, Taint.none as number);

const undo = (...lines: string[]): unknown => undoFor(after(...lines), 3);

test('ordinary commands leave nothing, and nothing has to be undone', () => {
  for (const line of [
    'get k',
    'set k v',
    'blpop k 0',
    'eval script 0',
    'publish c m',
    'ping',
    'config get *',
  ]) {
    expect(after(line), line).toBe(Taint.none);
  }
  expect(undo('get k')).toEqual([]);
});

test('an open MULTI is discarded; EXEC and DISCARD have ended it', () => {
  expect(undo('multi', 'set k v')).toEqual([['discard']]);
  expect(undo('multi', 'set k v', 'exec')).toEqual([]);
  expect(undo('multi', 'discard')).toEqual([]);
});

test('watched keys are unwatched; UNWATCH, EXEC and DISCARD have done it', () => {
  expect(undo('watch k')).toEqual([['unwatch']]);
  for (const end of ['unwatch', 'exec', 'discard']) expect(undo('watch k', end), end).toEqual([]);
});

test('one DISCARD undoes MULTI and WATCH together', () => {
  expect(undo('watch k', 'multi')).toEqual([['discard']]);
});

test('UNWATCH within MULTI does not end MULTI', () => {
  expect(undo('multi', 'unwatch')).toEqual([['discard']]);
});

test('WATCH after EXEC counts again', () => {
  expect(undo('watch a', 'multi', 'exec', 'watch b')).toEqual([['unwatch']]);
});

test("after SELECT the pool's db is selected, after MULTI was discarded", () => {
  expect(undo('select 1')).toEqual([['select', 3]]);
  expect(undo('multi', 'select 1')).toEqual([['discard'], ['select', 3]]);
  expect(undo('watch k', 'select 1')).toEqual([['unwatch'], ['select', 3]]);
});

test('EXEC does not undo SELECT, not even that of its own transaction', () => {
  expect(undo('multi', 'select 1', 'exec')).toEqual([['select', 3]]);
});

test('the next command undoes ASKING, unless it begins a transaction: then its end does', () => {
  expect(undo('asking')).toEqual([['ping']]);
  expect(undo('asking', 'get k')).toEqual([]);
  expect(undo('asking', 'multi')).toEqual([['discard']]);
  expect(undo('asking', 'multi', 'get k', 'exec')).toEqual([]);
  expect(undo('asking', 'watch k')).toEqual([['unwatch']]);
  expect(undo('get k', 'asking')).toEqual([['ping']]);
});

test('what cannot be undone cheaply and surely ends the connection', () => {
  for (const line of [
    ...['subscribe c', 'psubscribe c*', 'ssubscribe c', 'monitor', 'sync', 'psync ? -1', 'replconf ack 1'],
    ...['auth secret', 'hello 3', 'reset', 'quit', 'readonly', 'readwrite', 'script debug yes'],
  ]) {
    expect(undo(line), line).toBe('close');
  }
});

test('nothing cleans a dirty connection', () => {
  for (const line of ['unwatch', 'exec', 'discard', 'reset', 'unsubscribe', 'get k']) {
    expect(undo('subscribe c', line), line).toBe('close');
  }
});

test('CLIENT goes by its subcommand: what changes this connection ends it', () => {
  for (const sub of [
    'reply off',
    'reply skip',
    'tracking on',
    'caching yes',
    'setname x',
    'no-evict on',
    'no-touch on',
  ]) {
    expect(undo(`client ${sub}`), sub).toBe('close');
  }
});

test('CLIENT subcommands that read, or act on other connections, leave nothing', () => {
  for (const sub of [
    'id',
    'info',
    'list',
    'getname',
    'getredir',
    'kill id 7',
    'pause 1',
    'unpause',
    'trackinginfo',
  ]) {
    expect(after(`client ${sub}`), sub).toBe(Taint.none);
  }
});

test('a subcommand counts in any case, and as a Buffer', () => {
  expect(taintAfter(Taint.none, 'client', ['REPLY', 'OFF'])).toBe(Taint.dirty);
  expect(taintAfter(Taint.none, 'client', [Buffer.from('Id')])).toBe(Taint.none);
  expect(taintAfter(Taint.none, 'script', [Buffer.from('DEBUG'), 'sync'])).toBe(Taint.dirty);
});

test('an unknown CLIENT subcommand, or none at all, means that the connection is closed', () => {
  expect(undo('client shiny')).toBe('close');
  expect(taintAfter(Taint.none, 'client', [])).toBe(Taint.dirty);
});

test('SCRIPT leaves nothing unless it debugs', () => {
  for (const sub of ['load x', 'exists x', 'flush', 'kill'])
    expect(after(`script ${sub}`), sub).toBe(Taint.none);
});
