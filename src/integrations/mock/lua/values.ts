import { Failure, Members, Pairs, Push, type Reply, Score, Status } from '../reply.ts';
import type { Fengari, State } from './fengari.ts';

/** A table of Lua. */
export type Table = Map<LuaValue, LuaValue>;
/** A value of Lua: `undefined` is nil, `null` is `cjson.null`, a string is a byte string. */
export type LuaValue = undefined | null | boolean | number | string | Table | Other;

/** A value that has no form outside of Lua, such as a function. */
export class Other {
  constructor(readonly type: string) {}
}

export const listOf = (values: readonly LuaValue[]): Table =>
  new Map(values.flatMap((value, i) => (value === undefined ? [] : [[i + 1, value]])));

/** Deeper tables are taken to contain themselves. */
const DEEPEST = 1000;

export const bytesFor = (text: string): Uint8Array => Buffer.from(text, 'latin1');
export const textOfBytes = (from: Uint8Array): string => Buffer.from(from).toString('latin1');

/** Makes sure that so many values can be pushed. */
export function makeRoom({ lua }: Fengari, L: State, places: number): void {
  if (!lua.lua_checkstack(L, places)) throw new Failure('ERR reached lua stack limit');
}

/** Pushes a value on the stack of Lua. All numbers are floats: fengari's integers have 32 bits, those of Redis 53. */
export function push(fengari: Fengari, L: State, value: LuaValue): void {
  const { lua } = fengari;
  if (value === undefined || value instanceof Other) lua.lua_pushnil(L);
  else if (value === null) lua.lua_pushlightuserdata(L, null);
  else if (typeof value === 'boolean') lua.lua_pushboolean(L, value);
  else if (typeof value === 'number') lua.lua_pushnumber(L, value);
  else if (typeof value === 'string') lua.lua_pushstring(L, bytesFor(value));
  else {
    makeRoom(fengari, L, 3);
    lua.lua_createtable(L, 0, value.size);
    for (const [key, one] of value) {
      push(fengari, L, key);
      push(fengari, L, one);
      lua.lua_rawset(L, -3);
    }
  }
}

/** The value at a place of the stack of Lua. */
export function read(fengari: Fengari, L: State, place: number, depth = 0): LuaValue {
  const { lua } = fengari;
  const at = lua.lua_absindex(L, place);
  const type = textOfBytes(lua.lua_typename(L, lua.lua_type(L, at)));
  if (type === 'nil' || type === 'no value') return undefined;
  if (type === 'boolean') return lua.lua_toboolean(L, at);
  if (type === 'number') return lua.lua_tonumber(L, at);
  if (type === 'string') return textOfBytes(lua.lua_tostring(L, at));
  if (type === 'userdata') return null;
  if (type !== 'table') return new Other(type);
  if (depth > DEEPEST) throw new Failure('ERR reached lua stack limit');
  makeRoom(fengari, L, 3);
  const table: Table = new Map();
  lua.lua_pushnil(L);
  while (lua.lua_next(L, at) !== 0) {
    table.set(read(fengari, L, -2, depth + 1), read(fengari, L, -1, depth + 1));
    lua.lua_settop(L, -2);
  }
  return table;
}

/** A reply as scripts get it. */
export function fromReply(reply: Reply): LuaValue {
  if (reply === null) return false;
  if (typeof reply === 'string') return reply;
  if (typeof reply === 'number' || typeof reply === 'bigint') return Number(reply);
  if (reply instanceof Status) return new Map([['ok', reply.text]]);
  if (reply instanceof Failure) return new Map([['err', reply.message]]);
  if (reply instanceof Score) return reply.text;
  if (reply instanceof Pairs) return listOf(reply.entries.flat().map(fromReply));
  if (reply instanceof Members || reply instanceof Push) return listOf(reply.items.map(fromReply));
  return listOf(reply.map(fromReply));
}

/** The reply that a script's result stands for. */
export function toReply(value: LuaValue): Reply {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Math.trunc(value) || 0;
  if (value === true) return 1;
  if (!(value instanceof Map)) return null;
  const [err, ok, double, map, set] = ['err', 'ok', 'double', 'map', 'set'].map((name) => value.get(name));
  if (typeof err === 'string') return new Failure(err);
  if (typeof ok === 'string') return new Status(ok);
  if (typeof double === 'number') return new Score(double);
  if (map instanceof Map) return new Pairs([...map].map(([key, one]) => [toReply(key), toReply(one)]));
  if (set instanceof Map) return new Members([...set.keys()].map(toReply));
  return itemsOf(value).map(toReply);
}

/** What a table has at 1, 2, 3 and so on. */
export function itemsOf(table: Table): LuaValue[] {
  const items: LuaValue[] = [];
  for (let i = 1; table.get(i) !== undefined; i++) items.push(table.get(i));
  return items;
}
