import { atLeast, type Command, type Context } from '../command.ts';
import { Failure, OK, type Reply } from '../reply.ts';

/** What a value begins with. Behind it is one byte for each register; Redis packs them. */
const MAGIC = 'HYLL';
const INDEX_BITS = 14n;
const REGISTERS = 2 ** Number(INDEX_BITS);
const RANK_BITS = 64 - Number(INDEX_BITS);

const SEED = 0xadc83b19n;
const FACTOR = 0xc6a4a7935bd1e995n;
const SHIFT = 47n;

/** MurmurHash64A, which Redis uses. */
function hash(text: string): bigint {
  const bytes = Buffer.from(text, 'latin1');
  const times = (value: bigint): bigint => BigInt.asUintN(64, value * FACTOR);
  const mixed = (value: bigint): bigint => value ^ (value >> SHIFT);
  let sum = SEED ^ times(BigInt(bytes.length));
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    sum = times(sum ^ times(mixed(times(bytes.readBigUInt64LE(at)))));
  }
  if (at < bytes.length) {
    const rest = Buffer.concat([bytes.subarray(at)], 8).readBigUInt64LE();
    sum = times(sum ^ rest);
  }
  return mixed(times(mixed(sum)));
}

function read({ db }: Context, key: string): Buffer | undefined {
  const value = db.get('string', key);
  if (value === undefined) return undefined;
  if (!value.startsWith(MAGIC) || value.length !== MAGIC.length + REGISTERS) {
    throw new Failure('WRONGTYPE Key is not a valid HyperLogLog string value.');
  }
  return Buffer.from(value.slice(MAGIC.length), 'latin1');
}

function write({ db }: Context, key: string, registers: Buffer): void {
  db.set('string', key, MAGIC + registers.toString('latin1'), { keepTtl: true });
}

function add(context: Context, key: string, ...items: string[]): Reply {
  const before = read(context, key);
  const registers = before ?? Buffer.alloc(REGISTERS);
  let changed = before === undefined;
  for (const item of items) {
    const sum = hash(item);
    const index = Number(sum & BigInt(REGISTERS - 1));
    let rest = (sum >> INDEX_BITS) | (1n << BigInt(RANK_BITS));
    let rank = 1;
    for (; (rest & 1n) === 0n; rest >>= 1n) rank++;
    if (rank <= (registers[index] ?? 0)) continue;
    registers[index] = rank;
    changed = true;
  }
  if (changed) write(context, key, registers);
  return Number(changed);
}

function merged(context: Context, keys: readonly string[]): Buffer {
  const all = keys.flatMap((key) => read(context, key) ?? []);
  return Buffer.from(
    Array.from({ length: REGISTERS }, (_, i) => Math.max(0, ...all.map((one) => one[i] ?? 0))),
  );
}

/** The estimate of Redis, after Otmar Ertl. */
function estimate(registers: Buffer): number {
  const histogram = new Array<number>(RANK_BITS + 2).fill(0);
  for (const one of registers) histogram[one] = (histogram[one] ?? 0) + 1;
  let sum = REGISTERS * tau((REGISTERS - (histogram[RANK_BITS + 1] ?? 0)) / REGISTERS);
  for (let rank = RANK_BITS; rank >= 1; rank--) sum = (sum + (histogram[rank] ?? 0)) * 0.5;
  sum += REGISTERS * sigma((histogram[0] ?? 0) / REGISTERS);
  return Math.round((0.5 / Math.LN2) * REGISTERS * (REGISTERS / sum));
}

function sigma(part: number): number {
  if (part === 1) return Number.POSITIVE_INFINITY;
  let [x, y, sum, before] = [part, 1, part, Number.NaN];
  while (sum !== before) {
    x *= x;
    before = sum;
    sum += x * y;
    y += y;
  }
  return sum;
}

function tau(part: number): number {
  if (part === 0 || part === 1) return 0;
  let [x, y, sum, before] = [part, 1, 1 - part, Number.NaN];
  while (sum !== before) {
    x = Math.sqrt(x);
    before = sum;
    y *= 0.5;
    sum -= (1 - x) ** 2 * y;
  }
  return sum / 3;
}

export const hyperLogLogs: Readonly<Record<string, Command>> = {
  pfadd: atLeast(1, add),
  pfcount: atLeast(1, (context, ...keys) => estimate(merged(context, keys))),
  pfmerge: atLeast(1, (context, target, ...keys) => {
    write(context, target, merged(context, [target, ...keys]));
    return OK;
  }),
};
