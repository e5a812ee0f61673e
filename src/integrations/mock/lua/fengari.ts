import { createRequire } from 'node:module';
import { Failure } from '../reply.ts';

/** A thread of the Lua machine. */
export type State = { readonly opaque: unique symbol };

/** What is used of fengari, in the words of Lua's C interface; strings are bytes. */
export interface Fengari {
  readonly luaconf: { readonly LUA_COMPAT_FLOATSTRING: boolean };
  readonly lua: {
    readonly LUA_MULTRET: number;
    lua_Debug: new () => { readonly source: Uint8Array; readonly currentline: number };
    lua_checkstack(L: State, places: number): boolean;
    lua_createtable(L: State, list: number, fields: number): void;
    lua_error(L: State): never;
    lua_getinfo(L: State, what: Uint8Array, into: object): number;
    lua_getstack(L: State, level: number, into: object): number;
    lua_gettop(L: State): number;
    lua_next(L: State, at: number): number;
    lua_pcall(L: State, args: number, results: number, handler: number): number;
    lua_pushboolean(L: State, value: boolean): void;
    lua_pushcfunction(L: State, run: (L: State) => number): void;
    lua_pushlightuserdata(L: State, value: unknown): void;
    lua_pushnil(L: State): void;
    lua_pushnumber(L: State, value: number): void;
    lua_pushstring(L: State, bytes: Uint8Array): void;
    lua_rawgeti(L: State, at: number, index: number): number;
    lua_rawset(L: State, at: number): void;
    lua_rawseti(L: State, at: number, index: number): void;
    lua_setglobal(L: State, name: Uint8Array): void;
    lua_settop(L: State, top: number): void;
    lua_toboolean(L: State, at: number): boolean;
    lua_tonumber(L: State, at: number): number;
    lua_tostring(L: State, at: number): Uint8Array;
    lua_type(L: State, at: number): number;
    lua_typename(L: State, type: number): Uint8Array;
    lua_absindex(L: State, at: number): number;
    lua_getglobal(L: State, name: Uint8Array): number;
    lua_setupvalue(L: State, at: number, index: number): Uint8Array | null;
    lua_pushvalue(L: State, at: number): void;
  };
  readonly lauxlib: {
    luaL_newstate(): State;
    luaL_loadbuffer(L: State, text: Uint8Array, length: number | null, name: Uint8Array): number;
    luaL_tolstring(L: State, at: number): Uint8Array;
    luaL_where(L: State, level: number): void;
    luaL_ref(L: State, table: number): number;
  };
  readonly lualib: { luaL_openlibs(L: State): void };
}

/** So that a number with no fraction is written without one, as by the Lua of Redis. */
const SETTINGS = 'LUA_COMPAT_FLOATSTRING';

/** Loads fengari; throws how to install it if it is not there. */
export function loadFengari(): Fengari {
  // In CommonJS, what bundlers put in the place of import.meta.url is wrong where a test has a `document`.
  const require = createRequire(typeof __filename === 'string' ? __filename : import.meta.url);
  const settings = process.env['FENGARICONF'];
  process.env['FENGARICONF'] = JSON.stringify({ ...JSON.parse(settings ?? '{}'), [SETTINGS]: true });
  try {
    const loaded: Fengari = require('fengari');
    return loaded.luaconf[SETTINGS] ? loaded : loadAgain(require);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new Failure(
      'ERR the mock runs Lua scripts by the package fengari, which is not installed: `npm install --save-dev fengari`, ' +
        "or answer them with mock.reply('eval', (script, numKeys, ...keysAndArgs) => …)",
    );
  } finally {
    if (settings === undefined) delete process.env['FENGARICONF'];
    else process.env['FENGARICONF'] = settings;
  }
}

/** Somebody else has loaded it with other settings: it reads them only once. */
function loadAgain(require: NodeJS.Require): Fengari {
  const folder = require.resolve('fengari').replace(/[^\\/]*$/, '');
  const theirs = Object.entries(require.cache).filter(([path]) => path.startsWith(folder));
  for (const [path] of theirs) delete require.cache[path];
  try {
    return require('fengari');
  } finally {
    Object.assign(require.cache, Object.fromEntries(theirs));
  }
}
