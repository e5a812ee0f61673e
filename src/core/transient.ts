/** Codes of Node for a host, a permission, a certificate or an argument that is wrong, and stays wrong. */
const PERMANENT_CODES =
  /^(ENOTFOUND|EACCES|EPERM|EPROTO|ERR_(SSL|TLS|OSSL|INVALID|SOCKET_BAD_PORT)|CERT_|CRL_|UNABLE_TO_|(DEPTH_ZERO_)?SELF_SIGNED_CERT|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE))/;

/** Those among them that mean that the server went away during the TLS handshake, or is failing. */
const TRANSIENT_CODES = /HANDSHAKE_TIMEOUT|UNEXPECTED_EOF|INTERNAL_ERROR|CLOSE_NOTIFY/;

/** Replies of Redis that refuse a client, a command or a db; and this library's own, to what is no ioredis client. */
const PERMANENT_TEXTS =
  /\b(WRONGPASS|NOAUTH|NOPERM|NOPROTO|DENIED)\b|invalid password|without any password configured|DB index is out of range|invalid DB index|SELECT is not allowed|^createClient must return/;

/** How this library, and ioredis, begin the error of a dial that no sentinel could help; what each said follows. */
const SENTINELS = /(?:no sentinel told where the server is|All sentinels are unreachable[^:]*): /;

/** Errors of Node within that text, where they have no code. */
const PERMANENT_WORDS = /\bENOTFOUND\b|certificate/;

/** How many causes within causes are looked at. */
const DEEPEST = 5;

/**
 * Whether the cause of a failed dial may go away by itself, as after a restart. Wrong passwords, permissions, dbs,
 * certificates and host names do not; anything unknown may.
 */
export function isTransient(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth > DEEPEST) return true;
  const { code, message, cause } = error as Error & { code?: unknown };
  // One of several addresses, or of several sentinels, is enough to connect again.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return error.errors.some((one) => isTransient(one, depth + 1));
  }
  const said = SENTINELS.exec(message);
  if (said) {
    const answers = message.slice(said.index + said[0].length).split('; ');
    return answers.some((one) => !PERMANENT_TEXTS.test(one) && !PERMANENT_WORDS.test(one));
  }
  if (typeof code === 'string' && PERMANENT_CODES.test(code) && !TRANSIENT_CODES.test(`${code} ${message}`)) {
    return false;
  }
  return !PERMANENT_TEXTS.test(message) && isTransient(cause, depth + 1);
}
