import { createHash } from 'node:crypto';
import { digits, Failure, type Reply } from '../reply.ts';
import { fromReply, type LuaValue } from './values.ts';

/** Runs a command that a script calls; throws a {@link Failure}. */
export type Call = (name: string, args: readonly string[]) => Reply;

/** Functions for scripts. What they throw is an error of the script; a {@link Failure} in the form of Redis. */
export type Functions = Readonly<Record<string, (...args: LuaValue[]) => readonly LuaValue[]>>;

/** The functions of `redis`. */
export function redisApi(call: Call): Functions {
  const called = (args: readonly LuaValue[]): Reply => {
    if (args.length === 0)
      throw new Failure('ERR Please specify at least one argument for this redis lib call');
    const [name = '', ...rest] = args.map((one) => {
      if (typeof one === 'string') return one;
      if (typeof one === 'number') return digits(one, 17);
      throw new Failure('ERR Lua redis lib command arguments must be strings or integers');
    });
    return call(name.toLowerCase(), rest);
  };
  const field =
    (name: string, convert: (text: string) => string) =>
    (...args: LuaValue[]) => {
      const [text] = args;
      if (args.length !== 1 || typeof text !== 'string') {
        return [new Map([['err', 'ERR wrong number or type of arguments']])];
      }
      return [new Map([[name, convert(text)]])];
    };
  return {
    call: (...args) => [fromReply(called(args))],
    pcall: (...args) => {
      try {
        return [fromReply(called(args))];
      } catch (error) {
        if (error instanceof Failure) return [fromReply(error)];
        throw error;
      }
    },
    status_reply: field('ok', (text) => text),
    error_reply: field('err', (text) => {
      const plain = text.replace(/^-/, '').replace(/[\r\n]+$/, '');
      return plain.includes(' ') ? plain : `ERR ${plain}`;
    }),
    sha1hex: (...args) => {
      if (args.length !== 1) throw new Failure('ERR wrong number of arguments');
      const [value] = args;
      const text = typeof value === 'number' ? digits(value, 14) : typeof value === 'string' ? value : '';
      return [createHash('sha1').update(text, 'latin1').digest('hex')];
    },
    log: (...args) => {
      if (args.length < 2) throw new Failure('ERR redis.log() requires two arguments or more.');
      if (typeof args[0] === 'number') return [];
      throw new Failure('ERR First argument must be a number (log level).');
    },
    setresp: (...args) => {
      if (args.length !== 1) throw new Failure('ERR redis.setresp() requires one argument.');
      if (args[0] === 2) return [];
      throw new Failure(
        args[0] === 3 ? 'ERR the scripts of the mock know RESP2 only' : 'ERR RESP version must be 2 or 3.',
      );
    },
    replicate_commands: () => [true],
    set_repl: () => [],
  };
}

const bits =
  (combine: (a: number, b: number) => number) =>
  (first: LuaValue, ...rest: LuaValue[]) => [
    rest.reduce((sum: number, one) => combine(sum, Number(one) | 0) | 0, Number(first) | 0),
  ];

/** The functions of `bit`. */
export const BIT: Functions = {
  tobit: bits((a) => a),
  band: bits((a, b) => a & b),
  bor: bits((a, b) => a | b),
  bxor: bits((a, b) => a ^ b),
  bnot: (a) => [~Number(a)],
  lshift: bits((a, b) => a << b),
  rshift: bits((a, b) => a >>> b),
  arshift: bits((a, b) => a >> b),
  rol: bits((a, b) => (a << b) | (a >>> (32 - b))),
  ror: bits((a, b) => (a >>> b) | (a << (32 - b))),
  tohex: (a) => [(Number(a) >>> 0).toString(16).padStart(8, '0')],
};
