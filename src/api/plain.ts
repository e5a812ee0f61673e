import { invalidOption } from './errors.ts';

/**
 * What `given` says, read once: inherited values and those of getters too, as of an instance of a class. A method counts
 * only under a `known` name. `what` names it, should a getter throw.
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

/** A copy of plain data, however deep. Functions, Buffers and instances of classes are kept as they are. */
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

/** A word for what kind of thing `value` is. It tells no value: there may be a password in it. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const kind = Array.isArray(value) ? 'array' : typeof value;
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** Whether it is a thing of its own kind, such as a Promise, a Map or a URL, rather than a set of options. */
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

/** Whether it is an object or array of no class. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const proto: object | null = Object.getPrototypeOf(value);
  return Array.isArray(value) || proto === null || isRoot(proto);
}

/** Whether it is `Object.prototype`, of whatever realm. */
function isRoot(object: object): boolean {
  return Object.getPrototypeOf(object) === null && Object.hasOwn(object, 'hasOwnProperty');
}
