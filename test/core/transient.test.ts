import { expect, test } from 'vitest';
import { isTransient } from '../../src/core/transient.ts';

const coded = (code: string, message = code): Error => Object.assign(new Error(message), { code });
const sentinels = (...said: string[]): Error =>
  new Error(`no sentinel told where the server is: ${said.join('; ')}`);

test.each<[what: string, error: unknown]>([
  ['nobody listens', coded('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:6379')],
  ['the connection was reset', coded('ECONNRESET', 'read ECONNRESET')],
  ['the connection was cut off while it was written to', coded('EPIPE', 'write EPIPE')],
  ['no way to the host', coded('EHOSTUNREACH', 'connect EHOSTUNREACH 10.0.0.1:6379')],
  ['no way to the network', coded('ENETUNREACH', 'connect ENETUNREACH 10.0.0.1:6379')],
  ['the system gave up', coded('ETIMEDOUT', 'connect ETIMEDOUT')],
  ['the dial took too long', coded('ETIMEDOUT', 'not ready within 2000 ms: the server did not answer')],
  ['no port is left to dial from', coded('EADDRNOTAVAIL', 'connect EADDRNOTAVAIL')],
  ['no file is left to dial with', coded('EMFILE', 'connect EMFILE')],
  ['a unix socket is not there yet', coded('ENOENT', 'connect ENOENT /run/redis.sock')],
  ['the resolver is away', coded('EAI_AGAIN', 'getaddrinfo EAI_AGAIN redis')],
  ['data are being loaded', new Error('LOADING Redis is loading the dataset in memory')],
  ['a replica has no master', new Error('MASTERDOWN Link with MASTER is down')],
  ['all places are taken', new Error('ERR max number of clients reached')],
  ['a script is running', new Error('BUSY Redis is busy running a script.')],
  ['it closed without a word', new Error('the server closed the connection before it was ready')],
  ['it died before it was of use', new Error('the connection died before it was of any use')],
  [
    'TLS was cut off in the middle',
    coded('ECONNRESET', 'Client network socket disconnected before secure TLS connection was established'),
  ],
  ['TLS took too long', coded('ERR_TLS_HANDSHAKE_TIMEOUT')],
  ['TLS ended in the middle', coded('ERR_SSL_UNEXPECTED_EOF_WHILE_READING')],
  ['the other side of TLS is not well', coded('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR')],
  [
    'one of several addresses may come back',
    new AggregateError([coded('EACCES'), coded('ECONNREFUSED')], ''),
  ],
  ['all sentinels are down', sentinels('connect ECONNREFUSED a:1', 'connect ECONNREFUSED b:1')],
  [
    'one sentinel does not answer in time',
    coded(
      'ETIMEDOUT',
      `not ready within 2000 ms: ${sentinels('NOAUTH', 'sentinel b:1 did not answer').message}`,
    ),
  ],
  ['one sentinel is down', sentinels('NOAUTH Authentication required.', 'sentinel b:1 did not answer')],
  ['no sentinel knows the name (any more)', sentinels('a:1 successfully, but got an invalid reply: null')],
  ['something of the caller own', new TypeError('fetch failed', { cause: coded('ECONNREFUSED') })],
  ['what nobody knows', new Error('boo')],
  ['what is no error', 'boo'],
])('%s: that may pass by itself', (_, error) => {
  expect(isTransient(error)).toBe(true);
});

test.each<[what: string, error: unknown]>([
  ['a wrong password', new Error('WRONGPASS invalid username-password pair or user is disabled.')],
  ['a wrong password, before Redis 6', new Error('ERR invalid password')],
  ['no password', new Error('NOAUTH Authentication required.')],
  ['no password, as ioredis tells it', new Error('Ready check failed: NOAUTH Authentication required.')],
  ['no right', new Error("NOPERM User *** has no permissions to run the 'info' command")],
  ['protected mode', new Error('DENIED Redis is running in protected mode')],
  ['a protocol it does not speak', new Error('NOPROTO unsupported protocol version')],
  ['a db that is not there', new Error('ERR DB index is out of range')],
  ['a db that is none', new Error('ERR invalid DB index')],
  ['a db where there is one', new Error('ERR SELECT is not allowed in cluster mode')],
  ['an unknown host', coded('ENOTFOUND', 'getaddrinfo ENOTFOUND nowhere')],
  ['no right to a unix socket', coded('EACCES', 'connect EACCES /run/redis.sock')],
  ['forbidden', coded('EPERM', 'connect EPERM')],
  ['a certificate that is over', coded('CERT_HAS_EXPIRED', 'certificate has expired')],
  ['a certificate of nobody known', coded('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate')],
  ['a chain of nobody known', coded('SELF_SIGNED_CERT_IN_CHAIN')],
  ['a chain without its end', coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE')],
  ['a certificate of somebody else', coded('ERR_TLS_CERT_ALTNAME_INVALID')],
  ['no certificate of our own', coded('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')],
  ['TLS where there is none', coded('ERR_SSL_WRONG_VERSION_NUMBER')],
  ['TLS that is something else', coded('EPROTO', 'write EPROTO')],
  ['a key that cannot be read', coded('ERR_OSSL_PEM_NO_START_LINE')],
  ['an option of Node that is wrong', coded('ERR_INVALID_ARG_TYPE')],
  ['a port that is none', coded('ERR_SOCKET_BAD_PORT')],
  ['a client that is none', new TypeError('createClient must return an ioredis Redis, got a string')],
  ['all of several addresses', new AggregateError([coded('EACCES'), coded('EACCES')], '')],
  ['within another error', new Error('no token', { cause: coded('ENOTFOUND') })],
  ['all sentinels refuse', sentinels('NOAUTH Authentication required.', 'WRONGPASS invalid')],
  ['the hosts of all sentinels are unknown', sentinels('getaddrinfo ENOTFOUND a', 'getaddrinfo ENOTFOUND b')],
])('%s: waiting does not mend that', (_, error) => {
  expect(isTransient(error)).toBe(false);
});

test('causes that go in a circle are looked at for a while', () => {
  const error = new Error('round');
  error.cause = error;
  expect(isTransient(error)).toBe(true);
});
