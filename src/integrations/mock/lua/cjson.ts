import { digits } from '../reply.ts';
import { type LuaValue, listOf, Other, type Table } from './values.ts';

/** Longer lists may have no more than half of their places empty. */
const SPARSE = 10;

/** Encodes a value as JSON, as the cjson of Redis does; throws what it says. */
export function encodeJson(value: LuaValue, depth = 0): string {
  if (depth > 1000) throw new Error('Cannot serialise, excessively deep nesting (1001)');
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error('Cannot serialise number: must not be NaN or Inf');
    return digits(value, 14);
  }
  if (value instanceof Other) throw new Error(`Cannot serialise ${value.type}: type not supported`);
  const length = lengthOf(value);
  if (length > 0) {
    const items = Array.from({ length }, (_, i) => encodeJson(value.get(i + 1), depth + 1));
    return `[${items.join(',')}]`;
  }
  const fields = [...value].map(([key, one]) => {
    if (typeof key !== 'string' && typeof key !== 'number') {
      throw new Error('Cannot serialise table: table key must be a number or string');
    }
    const name = typeof key === 'number' ? `"${digits(key, 14)}"` : quote(key);
    return `${name}:${encodeJson(one, depth + 1)}`;
  });
  return `{${fields.join(',')}}`;
}

/** The length of a list; 0 if the table is none. */
function lengthOf(table: Table): number {
  let most = 0;
  for (const key of table.keys()) {
    if (typeof key !== 'number' || key < 1 || !Number.isInteger(key)) return 0;
    most = Math.max(most, key);
  }
  if (most > table.size * 2 && most > SPARSE) {
    throw new Error('Cannot serialise table: excessively sparse array');
  }
  return most;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function quote(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is escaped
  const escaped = text.replace(/["\\/\u0000-\u001f\u007f]/g, (sign) => {
    return ESCAPES[sign] ?? `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}

type Token = readonly [type: string, at: number, value?: LuaValue];

const SIGNS: Readonly<Record<string, string>> = {
  '{': 'T_OBJ_BEGIN',
  '}': 'T_OBJ_END',
  '[': 'T_ARR_BEGIN',
  ']': 'T_ARR_END',
  ',': 'T_COMMA',
  ':': 'T_COLON',
};
const WORDS: Readonly<Record<string, readonly [type: string, value: LuaValue]>> = {
  true: ['T_BOOLEAN', true],
  false: ['T_BOOLEAN', false],
  null: ['T_NULL', null],
};
const TOKEN =
  /[ \t\r\n]*(?:([{}[\],:])|(true|false|null)|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|"((?:[^"\\]|\\["\\/bfnrt]|\\u[\da-fA-F]{4})*)"|($))/y;

/** Decodes JSON, as the cjson of Redis does; throws what it says. */
export function decodeJson(text: string): LuaValue {
  let at = 0;
  const next = (): Token => {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    const start = at + (/^[ \t\r\n]*/.exec(text.slice(at))?.[0].length ?? 0);
    if (found === null) return ['invalid token', start];
    at = TOKEN.lastIndex;
    const [, sign, word, number, string] = found;
    if (sign !== undefined) return [SIGNS[sign] ?? '', start];
    if (word !== undefined) return [WORDS[word]?.[0] ?? '', start, WORDS[word]?.[1]];
    if (number !== undefined) return ['T_NUMBER', start, Number(number)];
    return string === undefined ? ['T_END', start] : ['T_STRING', start, unescaped(string)];
  };
  const refuse = (wanted: string, [type, start]: Token): never => {
    throw new Error(`Expected ${wanted} but found ${type} at character ${start + 1}`);
  };
  const list = (): Table => {
    const items: LuaValue[] = [];
    for (let token = next(); token[0] !== 'T_ARR_END' || items.length > 0; token = next()) {
      items.push(valueFrom(token));
      const after = next();
      if (after[0] === 'T_ARR_END') break;
      if (after[0] !== 'T_COMMA') refuse('comma or array end', after);
    }
    return listOf(items);
  };
  const object = (): Table => {
    const table: Table = new Map();
    for (let token = next(); token[0] !== 'T_OBJ_END' || table.size > 0; token = next()) {
      if (token[0] !== 'T_STRING') refuse('object key string', token);
      const colon = next();
      if (colon[0] !== 'T_COLON') refuse('colon', colon);
      table.set(token[2], valueFrom(next()));
      const after = next();
      if (after[0] === 'T_OBJ_END') break;
      if (after[0] !== 'T_COMMA') refuse('comma or object end', after);
    }
    return table;
  };
  const valueFrom = (token: Token): LuaValue => {
    if (token[0] === 'T_OBJ_BEGIN') return object();
    if (token[0] === 'T_ARR_BEGIN') return list();
    return token[2] === undefined ? refuse('value', token) : token[2];
  };
  const value = valueFrom(next());
  const end = next();
  if (end[0] !== 'T_END') refuse('the end', end);
  return value;
}

const PLAIN: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** The bytes that the escapes of a string stand for; characters are written in UTF-8. */
function unescaped(text: string): string {
  return text.replace(
    /\\(?:u(d[89ab][\da-f]{2})\\u(d[c-f][\da-f]{2})|u([\da-f]{4})|(.))/gi,
    (_, high?: string, low?: string, one?: string, sign = '') => {
      const codes = [high, low, one].flatMap((hex) => (hex === undefined ? [] : [Number.parseInt(hex, 16)]));
      if (codes.length === 0) return PLAIN[sign] ?? sign;
      return Buffer.from(String.fromCharCode(...codes)).toString('latin1');
    },
  );
}
