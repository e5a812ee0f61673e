/** A fraction. */
type Ratio = readonly [top: bigint, bottom: bigint];

/** The bits of a long double that make its precision, where Redis runs on x86. */
const PRECISION = 64;
/** Redis shows no more decimals. */
const DECIMALS = 17;

/** The sum of two decimal numbers as INCRBYFLOAT gives it, which computes in long doubles. */
export function addFloats(a: string, b: string): string {
  const [[p, q], [r, s]] = [rounded(parse(a)), rounded(parse(b))];
  return show(rounded([p * s + r * q, q * s]));
}

function parse(text: string): Ratio {
  const [, sign, whole = '', part = '', power = '0'] =
    /^([-+]?)(\d*)\.?(\d*)(?:e([-+]?\d+))?$/i.exec(text) ?? [];
  const digits = BigInt(`${whole}${part}` || '0') * (sign === '-' ? -1n : 1n);
  const exponent = Number(power) - part.length;
  return exponent < 0 ? [digits, 10n ** BigInt(-exponent)] : [digits * 10n ** BigInt(exponent), 1n];
}

const lengthOf = (value: bigint): number => value.toString(2).length;

/** Divides, and rounds to the nearest; a half to the even. */
function divided(top: bigint, bottom: bigint): bigint {
  const quotient = top / bottom;
  const twice = (top % bottom) * 2n;
  return twice > bottom || (twice === bottom && quotient % 2n === 1n) ? quotient + 1n : quotient;
}

/** The nearest long double. */
function rounded([top, bottom]: Ratio): Ratio {
  if (top < 0n) {
    const [a, b] = rounded([-top, bottom]);
    return [-a, b];
  }
  if (top === 0n) return [0n, 1n];
  let shift = PRECISION - lengthOf(top) + lengthOf(bottom);
  const scaled = (): Ratio => (shift >= 0 ? [top << BigInt(shift), bottom] : [top, bottom << BigInt(-shift)]);
  if (lengthOf(scaled()[0] / scaled()[1]) > PRECISION) shift--;
  const value = divided(...scaled());
  return shift >= 0 ? [value, 1n << BigInt(shift)] : [value << BigInt(-shift), 1n];
}

function show([top, bottom]: Ratio): string {
  const sign = top < 0n ? '-' : '';
  const all = divided((top < 0n ? -top : top) * 10n ** BigInt(DECIMALS), bottom)
    .toString()
    .padStart(DECIMALS + 1, '0');
  const text = `${all.slice(0, -DECIMALS)}.${all.slice(-DECIMALS)}`.replace(/\.?0+$/, '');
  return text === '0' ? text : sign + text;
}
