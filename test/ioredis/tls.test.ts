import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../tools/redis-server.js';
import { Authority, temporaryFiles } from '../helpers/certificate.ts';
import { Child } from '../helpers/child.ts';
import { causeOf, newClient, testPool, useServer } from '../helpers/redis.ts';

const authority = new Authority('an authority');
const stranger = new Authority('another authority');
const own = authority.issue({ name: 'server', hosts: ['localhost'], ips: ['127.0.0.1'] });
const files = temporaryFiles({ ca: authority.cert, cert: own.cert, key: own.key });
afterAll(() => files.remove());

const serving = async (clients: 'yes' | 'no'): Promise<string[]> => [
  ...['--tls-port', String(await freePort()), '--tls-auth-clients', clients],
  ...['--tls-ca-cert-file', files.path('ca')],
  ...['--tls-cert-file', files.path('cert'), '--tls-key-file', files.path('key')],
];
const server = useServer(() => serving('no'));
const choosy = useServer(() => serving('yes'));

const tls = { ca: authority.cert };
const UNTRUSTED = /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN)$/;

test('a pool uses TLS if the options say so', async () => {
  const pool = testPool({ redis: { host: '127.0.0.1', port: server.tlsPort, tls }, name: 'by-options' });
  expect(await pool.use((redis) => redis.set('k', 'v'))).toBe('OK');
  const [client] = await server.clients('by-options');
  expect(client?.['laddr']).toBe(`127.0.0.1:${server.tlsPort}`);
  await pool.close();
  expect(await server.clients('by-options')).toEqual([]);
});

test('a pool uses TLS with a rediss:// URL', async () => {
  // A URL cannot name an authority of one's own: createClient can.
  const pool = testPool({
    redis: `rediss://127.0.0.1:${server.tlsPort}/3`,
    name: 'by-url',
    createClient: (options) => newClient({ ...options, tls }),
  });
  expect(await pool.use((redis) => redis.ping())).toBe('PONG');
  const [client] = await server.clients('by-url');
  expect(client).toMatchObject({ db: '3', laddr: `127.0.0.1:${server.tlsPort}` });
});

test('a rediss:// URL is all it takes where the process trusts the authority', async () => {
  const url = `rediss://127.0.0.1:${server.tlsPort}`;
  const child = new Child('closed', url, { NODE_EXTRA_CA_CERTS: files.path('ca') });
  onTestFinished(() => child.kill());
  expect(await child.ended).toMatchObject({ code: 0, stderr: '' });
  expect(child.has('done')).toBe(true);
});

test('a rediss:// URL checks the certificate: nothing is trusted blindly', async () => {
  const cause = await causeOf({ redis: `rediss://127.0.0.1:${server.tlsPort}` });
  expect(cause.code).toMatch(UNTRUSTED);
});

test('a certificate by a stranger is the cause', async () => {
  const redis = { host: '127.0.0.1', port: server.tlsPort, tls: { ca: stranger.cert } };
  expect((await causeOf({ redis })).code).toMatch(UNTRUSTED);
});

test('a certificate for another host is the cause', async () => {
  const redis = { host: '127.0.0.1', port: server.tlsPort, tls: { ...tls, servername: 'elsewhere.example' } };
  expect(await causeOf({ redis })).toMatchObject({
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    message: expect.stringContaining('elsewhere.example'),
  });
});

test('a client without the certificate that the server requires gets its error', async () => {
  const redis = { host: '127.0.0.1', port: choosy.tlsPort, tls };
  const cause = await causeOf({ redis });
  expect(cause.code).toBe('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED');
  const client = authority.issue({ name: 'client' });
  const pool = testPool({ redis: { ...redis, tls: { ...tls, ...client } } });
  expect(await pool.use((it) => it.ping())).toBe('PONG');
});

test('a certificate that has expired is the cause', async () => {
  const expired = authority.issue({ name: 'server', ips: ['127.0.0.1'], days: -1 });
  const stale = createServer({ ...expired }).listen(0, '127.0.0.1');
  onTestFinished(() => void stale.close());
  await once(stale, 'listening');
  const { port } = stale.address() as AddressInfo;
  expect((await causeOf({ redis: { host: '127.0.0.1', port, tls } })).code).toBe('CERT_HAS_EXPIRED');
});

test('TLS to a port that does not speak it fails in time', async () => {
  const redis = { host: '127.0.0.1', port: server.port, tls };
  const cause = await causeOf({ redis, connectTimeoutMs: 300 });
  // Redis takes the greeting for the beginning of a command, and waits for its end, if it has none by chance.
  expect(cause.code).toMatch(/^(ETIMEDOUT|ERR_SSL_WRONG_VERSION_NUMBER|ECONNRESET)$/);
});

test('plain text to a port that wants TLS fails with a cause that is no riddle', async () => {
  const cause = await causeOf({ redis: { host: '127.0.0.1', port: server.tlsPort } });
  expect(cause.message).toMatch(/ECONNRESET|EPIPE|the server closed the connection/);
});
