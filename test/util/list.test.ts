import fc from 'fast-check';
import { expect, test } from 'vitest';
import { List, type Listed } from '../../src/util/list.ts';

class Item implements Listed<Item> {
  list: List<Item> | undefined;
  before: Item | undefined;
  after: Item | undefined;
  constructor(readonly name: string) {}
}

const forwards = (list: List<Item>): string[] => {
  const names: string[] = [];
  for (let item = list.first; item; item = item.after) names.push(item.name);
  return names;
};

const backwards = (list: List<Item>): string[] => {
  const names: string[] = [];
  for (let item = list.last; item; item = item.before) names.push(item.name);
  return names;
};

function filled(names: string): { list: List<Item>; item(name: string): Item } {
  const list = new List<Item>();
  const items = new Map([...names].map((name) => [name, new Item(name)]));
  for (const item of items.values()) list.push(item);
  const item = (name: string): Item => items.get(name) ?? new Item(name);
  return { list, item };
}

test('a new list has no first, no last and no length', () => {
  const list = new List<Item>();
  expect([list.first, list.last, list.length]).toEqual([undefined, undefined, 0]);
});

test('push adds at the end, insert before any, and both ends agree on the order', () => {
  const { list } = filled('bc');
  list.insert(new Item('a'), list.first);
  list.push(new Item('d'));
  expect(forwards(list)).toEqual(['a', 'b', 'c', 'd']);
  expect(backwards(list)).toEqual(['d', 'c', 'b', 'a']);
  expect(list.length).toBe(4);
});

test('insert into an empty list sets both ends', () => {
  const list = new List<Item>();
  const only = new Item('a');
  list.insert(only, list.first);
  expect(list.first).toBe(only);
  expect(list.last).toBe(only);
});

test('the first, the last, one between and the only one can leave', () => {
  for (const [leaves, left] of [
    ['a', 'bc'],
    ['b', 'ac'],
    ['c', 'ab'],
  ] as const) {
    const { list, item } = filled('abc');
    expect(list.remove(item(leaves))).toBe(true);
    expect(forwards(list).join('')).toBe(left);
    expect(backwards(list).reverse().join('')).toBe(left);
    expect(list.length).toBe(2);
  }
  const { list, item } = filled('a');
  list.remove(item('a'));
  expect([list.first, list.last, list.length]).toEqual([undefined, undefined, 0]);
});

test('one that has left holds on to nothing, so that nothing is kept alive through it', () => {
  const { list, item } = filled('abc');
  list.remove(item('b'));
  const { list: stands, before, after } = item('b');
  expect([stands, before, after]).toEqual([undefined, undefined, undefined]);
});

test('removing one that is not in the list changes nothing', () => {
  const { list, item } = filled('ab');
  const other = filled('x');
  expect(list.remove(other.item('x'))).toBe(false);
  expect(list.remove(new Item('y'))).toBe(false);
  list.remove(item('a'));
  expect(list.remove(item('a'))).toBe(false);
  expect(forwards(list)).toEqual(['b']);
  expect(list.length).toBe(1);
  expect(other.list.length).toBe(1);
});

test('a member of a list cannot be added to another, nor to the same twice', () => {
  const { list, item } = filled('a');
  expect(() => list.push(item('a'))).toThrow('already in a list');
  expect(() => new List<Item>().insert(item('a'), undefined)).toThrow('already in a list');
  expect(forwards(list)).toEqual(['a']);
  expect(list.length).toBe(1);
});

test('one that has left can join again', () => {
  const { list, item } = filled('ab');
  list.remove(item('a'));
  list.push(item('a'));
  expect(forwards(list)).toEqual(['b', 'a']);
});

test('after any additions and removals, the list equals an array', () => {
  const step = fc.tuple(fc.constantFrom('push', 'insert', 'remove'), fc.nat({ max: 7 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const list = new List<Item>();
      const items = Array.from({ length: 8 }, (_, i) => new Item(String(i)));
      let array: Item[] = [];
      for (const [what, i] of steps) {
        const item = items[i];
        if (!item) continue;
        const stands = array.includes(item);
        if (what === 'remove') {
          expect(list.remove(item)).toBe(stands);
          array = array.filter((one) => one !== item);
        } else if (!stands) {
          if (what === 'push') list.push(item);
          else list.insert(item, list.first);
          array = what === 'push' ? [...array, item] : [item, ...array];
        }
        expect(forwards(list)).toEqual(array.map(({ name }) => name));
        expect(backwards(list).reverse()).toEqual(array.map(({ name }) => name));
        expect(list.length).toBe(array.length);
      }
    }),
  );
});
