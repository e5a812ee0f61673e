import { digits, Failure, type Reply } from '../reply.ts';
import { decodeJson, encodeJson } from './cjson.ts';
import { packValue, unpackValues } from './cmsgpack.ts';
import { type Fengari, loadFengari, type State } from './fengari.ts';
import { BIT, type Call, type Functions, redisApi } from './functions.ts';
import { PRELUDE } from './prelude.ts';
import {
  bytesFor,
  fromReply,
  type LuaValue,
  listOf,
  makeRoom,
  push,
  read,
  textOfBytes,
  toReply,
} from './values.ts';

/** A Lua machine that runs scripts as Redis does. */
export class LuaMachine {
  readonly #fengari: Fengari = loadFengari();
  readonly #state: State = this.#fengari.lauxlib.luaL_newstate();
  /** The compiled scripts, by their SHA-1: places in a table of Lua. */
  readonly #compiled = new Map<string, number>();
  #call: Call = () => null;
  /** The line of the script in which the last error arose. */
  #line = 0;

  constructor() {
    const { lua, lauxlib, lualib } = this.#fengari;
    const L = this.#state;
    lualib.luaL_openlibs(L);
    lua.lua_createtable(L, 0, 0); // at 1: the compiled scripts
    if (lauxlib.luaL_loadbuffer(L, bytesFor(PRELUDE), null, bytesFor('=prelude')) !== 0) this.#bug();
    this.#pushNative();
    if (lua.lua_pcall(L, 1, 2, 0) !== 0) this.#bug(); // at 2 and 3: what compiles, and what sets KEYS and ARGV
  }

  /** Compiles a script; throws if it is none. */
  compile(sha: string, text: string): void {
    if (this.#compiled.has(sha)) return;
    const { lua, lauxlib } = this.#fengari;
    const L = this.#state;
    lua.lua_pushvalue(L, 2);
    push(this.#fengari, L, text);
    if (lua.lua_pcall(L, 1, 2, 0) !== 0) this.#bug();
    const message = read(this.#fengari, L, -1);
    lua.lua_settop(L, -2);
    if (message !== undefined) {
      lua.lua_settop(L, 3);
      throw new Failure(`ERR Error compiling script (new function): ${inWordsOf51(String(message))}`);
    }
    this.#compiled.set(sha, lauxlib.luaL_ref(L, 1));
  }

  /** Runs a compiled script to its end. */
  run(sha: string, keys: readonly string[], args: readonly string[], call: Call): Reply {
    const { lua } = this.#fengari;
    const L = this.#state;
    lua.lua_pushvalue(L, 3);
    push(this.#fengari, L, listOf(keys));
    push(this.#fengari, L, listOf(args));
    if (lua.lua_pcall(L, 2, 0, 0) !== 0) this.#bug();
    this.#call = call;
    this.#line = 0;
    try {
      lua.lua_pushcfunction(L, () => this.#noteLine());
      lua.lua_rawgeti(L, 1, this.#compiled.get(sha) ?? 0);
      const failed = lua.lua_pcall(L, 0, 1, 4) !== 0;
      const result = read(this.#fengari, L, -1);
      if (!failed) return toReply(result);
      const err = result instanceof Map ? result.get('err') : `ERR ${inWordsOf51(String(result))}`;
      const where = this.#line > 0 ? `, on @user_script:${this.#line}.` : '';
      throw new Failure(`${typeof err === 'string' ? err : 'ERR unknown error'} script: ${sha}${where}`);
    } finally {
      lua.lua_settop(L, 3);
    }
  }

  /** Handles an error where it arises: remembers the line of the script. */
  #noteLine(): number {
    const { lua } = this.#fengari;
    const info = new lua.lua_Debug();
    for (let level = 1; lua.lua_getstack(this.#state, level, info) !== 0; level++) {
      lua.lua_getinfo(this.#state, bytesFor('Sl'), info);
      if (!textOfBytes(info.source).startsWith('@user_script')) continue;
      this.#line = info.currentline;
      break;
    }
    return 1;
  }

  /** Pushes the functions that the prelude makes Redis' own of. */
  #pushNative(): void {
    const text = (value: LuaValue): string => (typeof value === 'string' ? value : '');
    this.#pushFunctions({ floats: (value) => [withFloats(text(value))] });
    const { lua } = this.#fengari;
    const L = this.#state;
    const under = (name: string, set: () => void): void => {
      push(this.#fengari, L, name);
      set();
      lua.lua_rawset(L, -3);
    };
    under('null', () => push(this.#fengari, L, null));
    under('tostring', () => lua.lua_pushcfunction(L, (state) => this.#toText(state)));
    under('redis', () => this.#pushFunctions(redisApi((name, args) => this.#call(name, args))));
    under('cjson', () =>
      this.#pushFunctions({
        encode: (value) => [encodeJson(value)],
        decode: (value) => [decodeJson(typeof value === 'number' ? digits(value, 14) : text(value))],
      }),
    );
    under('cmsgpack', () =>
      this.#pushFunctions({
        pack: (...values) => [Buffer.concat(values.map((one) => packValue(one))).toString('latin1')],
        unpack: (value) => unpackValues(text(value)),
      }),
    );
    under('bit', () => this.#pushFunctions(BIT));
  }

  /** As tostring() of Lua 5.1, which writes no number in more than 14 digits. */
  #toText(L: State): number {
    const { lua, lauxlib } = this.#fengari;
    const value = lua.lua_type(L, 1) === LUA_NUMBER ? lua.lua_tonumber(L, 1) : undefined;
    if (value !== undefined && Number.isFinite(value)) push(this.#fengari, L, digits(value, 14));
    else lauxlib.luaL_tolstring(L, 1);
    return 1;
  }

  #pushFunctions(functions: Functions): void {
    const { lua } = this.#fengari;
    const L = this.#state;
    lua.lua_createtable(L, 0, 0);
    for (const [name, run] of Object.entries(functions)) {
      push(this.#fengari, L, name);
      lua.lua_pushcfunction(L, (state) => this.#enter(state, run));
      lua.lua_rawset(L, -3);
    }
  }

  #enter(L: State, run: (...args: LuaValue[]) => readonly LuaValue[]): number {
    const { lua, lauxlib } = this.#fengari;
    const args = Array.from({ length: lua.lua_gettop(L) }, (_, i) => read(this.#fengari, L, i + 1));
    let results: readonly LuaValue[];
    try {
      results = run(...args);
    } catch (error) {
      if (error instanceof Failure) {
        push(this.#fengari, L, fromReply(error));
        return lua.lua_error(L);
      }
      lauxlib.luaL_where(L, 1);
      const where = read(this.#fengari, L, -1);
      push(this.#fengari, L, `${where}${error instanceof Error ? error.message : error}`);
      return lua.lua_error(L);
    }
    makeRoom(this.#fengari, L, results.length);
    for (const one of results) push(this.#fengari, L, one);
    return results.length;
  }

  #bug(): never {
    throw new Error(`bug: the Lua machine fails: ${String(read(this.#fengari, this.#state, -1))}`);
  }
}

const LUA_NUMBER = 3;

/** Strings, comments, names and numbers of Lua. */
const LEXEMES =
  /--\[(=*)\[[\s\S]*?\]\1\]|--[^\n]*|\[(=*)\[[\s\S]*?\]\2\]|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'|[A-Za-z_]\w*|0[xX][\da-fA-F]+|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+/g;

/** A script with floats for all its numbers, as Lua 5.1 has it. */
function withFloats(text: string): string {
  return text.replace(LEXEMES, (one) => {
    if (/^0x/i.test(one)) return `${Number(one)}.0`;
    return /^\d+$/.test(one) ? `${one}.0` : one;
  });
}

/** An error's text in the words of Lua 5.1. */
function inWordsOf51(text: string): string {
  return text
    .replace(/attempt to ([\w ]+) a (\w+) value \((\w+) '([^']*)'\)/, "attempt to $1 $3 '$4' (a $2 value)")
    .replace(/(?<!')<eof>/, "'<eof>'")
    .replace(/near '(\d+)\.0'$/, "near '$1'");
}
