import { invalidOption } from './errors.ts';

/**
 * Reads every property of `given` once; inherited ones and getters too, as instances of a class have them. Methods are
 * read only under a `known` name. `what` names `given` in the error if a getter throws.
 */
export function readAll(given: object, what: string, known: readonly string[] = []): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  for (let at = given; at !== null && !isRoot(at); at = Object.getPrototypeOf(at)) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (name === '__proto__' || Object.hasOwn(all, name)) continue;
      const method = !property.enumerable && typeof property.value === 'function';
      if (method && !known.includes(name)) continue;
      const value = read(at, name, given, `${what}${name}`);
      all[name] = method ? (value as () => unknown).bind(given) : value;
    }
  }
  return all;
}

/** A deep copy of plain data. Functions, Buffers and instances of classes are not copied but kept. */
export function copyPlain<T>(value: T, what = '', seen = new Map<unknown, unknown>()): T {
  if (!isPlain(value)) return value;
  const known = seen.get(value);
  if (known !== undefined) return known as T;
  const copy: Record<string, unknown> = (Array.isArray(value) ? [] : {}) as never;
  seen.set(value, copy);
  for (const name of Object.keys(value)) {
    if (name !== '__proto__')
      copy[name] = copyPlain(read(value, name, value, `${what}${name}`), `${what}${name}.`, seen);
  }
  return copy as T;
}

/** The type of `value` with its article. Not the value: there may be a password in it. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const kind = Array.isArray(value) ? 'array' : typeof value;
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** Whether it is a built-in such as a Promise, a Map or a URL rather than a set of options. */
export function isTagged(value: object): boolean {
  const tag = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  return tag !== undefined && tag !== 'Module';
}

function read(at: object, name: string, given: object, what: string): unknown {
  try {
    return Reflect.get(at, name, given);
  } catch (error) {
    throw invalidOption(`option ${what} cannot be read: its getter threw`, error);
  }
}

/** Whether it is an array, or an object that is no instance of a class. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const proto: object | null = Object.getPrototypeOf(value);
  return Array.isArray(value) || proto === null || isRoot(proto);
}

/** Whether it is `Object.prototype`, of any realm. */
function isRoot(object: object): boolean {
  return Object.getPrototypeOf(object) === null && Object.hasOwn(object, 'hasOwnProperty');
}
