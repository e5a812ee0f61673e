import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A key and its certificate, both PEM. */
export interface Certified {
  readonly key: string;
  readonly cert: string;
}

export interface Subject {
  readonly name: string;
  readonly hosts?: readonly string[];
  readonly ips?: readonly string[];
  /** Days from now until it expires; negative: it has expired. */
  readonly days?: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * A certificate authority for one test. X.509 is written here by hand, since there is not always an openssl, and
 * keys are not to be committed.
 */
export class Authority implements Certified {
  readonly key: string;
  readonly cert: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name: string) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#name = name;
    this.#key = privateKey;
    this.key = pem(privateKey);
    this.cert = certificate({ name, days: 1 }, publicKey, name, privateKey, 'authority');
  }

  issue(subject: Subject): Certified {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const cert = certificate(subject, publicKey, this.#name, this.#key);
    return { key: pem(privateKey), cert };
  }
}

/** Writes `files` by name into a directory of their own, and returns how to find and to remove them. */
export function temporaryFiles(files: Readonly<Record<string, string>>): {
  path(name: string): string;
  remove(): void;
} {
  const dir = mkdtempSync(join(tmpdir(), 'certificates-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 });
  return { path: (name) => join(dir, name), remove: () => rmSync(dir, { recursive: true, force: true }) };
}

function certificate(
  { name, hosts = [], ips = [], days = 1 }: Subject,
  publicKey: KeyObject,
  issuer: string,
  issuerKey: KeyObject,
  authority?: 'authority',
): string {
  const until = Date.now() + days * DAY_MS;
  const alternatives = [
    ...hosts.map((host) => der(0x82, Buffer.from(host))),
    ...ips.map((ip) => der(0x87, Buffer.from(ip.split('.').map(Number)))),
  ];
  const extensions = [
    extension('2.5.29.19', sequence(...(authority ? [der(0x01, Buffer.of(0xff))] : []))),
    ...(alternatives.length > 0 ? [extension('2.5.29.17', sequence(...alternatives))] : []),
  ];
  const algorithm = sequence(oid('1.2.840.10045.4.3.2')); // ecdsa-with-SHA256
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))), // version 3
    der(0x02, Buffer.of(1, ...Buffer.from(Date.now().toString(16).slice(-6).padStart(6, '0'), 'hex'))),
    algorithm,
    distinguished(issuer),
    sequence(time(until - 30 * DAY_MS), time(until)),
    distinguished(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, issuerKey);
  const all = sequence(body, algorithm, der(0x03, Buffer.of(0), signature));
  const lines = all.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function der(tag: number, ...content: Buffer[]): Buffer {
  const value = Buffer.concat(content);
  const { length } = value;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), value]);
}

function sequence(...content: Buffer[]): Buffer {
  return der(0x30, ...content);
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const septets = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) septets.unshift((left & 0x7f) | 0x80);
    bytes.push(...septets);
  }
  return der(0x06, Buffer.from(bytes));
}

function distinguished(name: string): Buffer {
  return sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(name)))));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(0x04, value));
}

/** UTCTime: 261231235959Z. */
function time(at: number): Buffer {
  const digits = new Date(at).toISOString().replace(/\D/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}
