/** The codes of errors with which Redis may reply during a connect. */
const REDIS_CODES = new Set([
  ...['ERR', 'WRONGPASS', 'NOAUTH', 'NOPERM', 'NOPROTO', 'DENIED', 'LOADING', 'MASTERDOWN', 'READONLY'],
  ...['MISCONF', 'OOM', 'BUSY', 'CLUSTERDOWN', 'UNBLOCKED', 'TRYAGAIN', 'NOREPLICAS'],
]);

/**
 * A short word for why a connect failed, safe as a label: the `code` of a system or TLS error (`ECONNREFUSED`), the first
 * word of a Redis error (`WRONGPASS`), or `other`. Nothing else of the error gets into it, for that may hold a secret.
 */
export function errorCode(error: Error & { code?: unknown }): string {
  if (typeof error.code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(error.code)) return error.code;
  const [word = ''] = error.message.split(' ', 1);
  return REDIS_CODES.has(word) ? word : 'other';
}

/**
 * Why connects fail as a rule: these are there with 0 before the first one fails, since PromQL's `increase()` does not see
 * a series begin.
 */
const USUAL_CODES: readonly string[] = [
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'],
  ...[
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENOENT',
    'EACCES',
    'EMFILE',
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
  ],
  ...['SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ...REDIS_CODES,
  'other',
];

/** The usual codes, each with 0. */
export const NONE_YET: Readonly<Record<string, number>> = Object.fromEntries(
  USUAL_CODES.map((code) => [code, 0]),
);

/** Counts by code. The number of codes is bounded; further ones count as `other`. */
export class CodeCounts {
  readonly #counts = new Map<string, number>();

  count(code: string): void {
    const known = this.#counts.has(code) || this.#counts.size < MOST_CODES;
    const counted = known ? code : 'other';
    this.#counts.set(counted, (this.#counts.get(counted) ?? 0) + 1);
  }

  /** The counts, as an object. */
  get all(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}

const MOST_CODES = 20;
