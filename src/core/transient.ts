/** What Node says of an address, a right or a certificate that is wrong, and stays so. */
const LASTING_CODES =
  /^(ENOTFOUND|EACCES|EPERM|EPROTO|ERR_(SSL|TLS|OSSL|INVALID|SOCKET_BAD_PORT)|CERT_|CRL_|UNABLE_TO_|(DEPTH_ZERO_)?SELF_SIGNED_CERT|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE))/;

/** Of those, what befalls a handshake when the other side goes away in the middle of it, or is not well. */
const PASSING_CODES = /HANDSHAKE_TIMEOUT|UNEXPECTED_EOF|INTERNAL_ERROR|CLOSE_NOTIFY/;

/** What Redis says to somebody whom it will not let in, or not there; and this library to a client that is none. */
const LASTING_TEXTS =
  /\b(WRONGPASS|NOAUTH|NOPERM|NOPROTO|DENIED)\b|invalid password|without any password configured|DB index is out of range|invalid DB index|SELECT is not allowed|^createClient must return/;

/** How ioredis and this library tell that sentinels were asked in vain: what each said comes after it. */
const SENTINELS = /^(?:no sentinel told where the server is|All sentinels are unreachable[^:]*): /;

/** What Node says in words, within what a sentinel is told to have said. */
const LASTING_WORDS = /\bENOTFOUND\b|certificate/;

/** How deep the causes of an error are looked at. */
const DEEPEST = 5;

/**
 * Whether what made a dial fail may pass by itself, as a restart does. Wrong passwords, rights, dbs, certificates and
 * names do not; what nobody knows may.
 */
export function isTransient(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth > DEEPEST) return true;
  const { code, message, cause } = error as Error & { code?: unknown };
  // One address of several, or one sentinel, is enough to come back by.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return error.errors.some((one) => isTransient(one, depth + 1));
  }
  const said = SENTINELS.exec(message);
  if (said) {
    const answers = message.slice(said[0].length).split('; ');
    return answers.some((one) => !LASTING_TEXTS.test(one) && !LASTING_WORDS.test(one));
  }
  if (typeof code === 'string' && LASTING_CODES.test(code) && !PASSING_CODES.test(`${code} ${message}`)) {
    return false;
  }
  return !LASTING_TEXTS.test(message) && isTransient(cause, depth + 1);
}
