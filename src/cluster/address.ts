/** Where a node is reached. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where nodes are reached that the cluster tells of under other addresses: by `host:port`, or a function of it. */
export type NatMap =
  | Readonly<Record<string, { readonly host: string; readonly port: number }>>
  | ((address: string) => { readonly host: string; readonly port: number } | null | undefined);

/** `host:port`, as events, errors and `stats().nodes` name a node. */
export function nameOf({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A name or an IP, which may be in brackets as in a URL; nothing, if it is neither. */
export function readHost(host: unknown): string | undefined {
  if (typeof host !== 'string') return undefined;
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return NAME.test(bare) || IPV6.test(bare) ? bare : undefined;
}

/** Letters and digits of any language; dots, dashes and underscores within. So is an IPv4 address. */
const NAME = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.-]{0,252}$/u;
/** It may have a zone. Whether it is quite right, whoever connects will know. */
const IPV6 = /^[\da-f]{0,4}:[\da-f:.]{0,40}:[\da-f.]{0,15}(%[\w.-]{1,50})?$/i;

/**
 * What was told of a node, checked, for it comes from the wire: no host, or one that is not known to whoever told of it,
 * is that of the node that was asked. Nothing, if it cannot be an address.
 */
export function readAddress(host: unknown, port: unknown, asked: Address): Address | undefined {
  const digits = typeof port === 'number' ? port : /^\d{1,5}$/.test(String(port)) ? Number(port) : 0;
  if (!isPort(digits)) return undefined;
  if (host === null || host === undefined || host === '' || host === '?')
    return { host: asked.host, port: digits };
  const known = readHost(Buffer.isBuffer(host) ? host.toString() : host);
  return known === undefined ? undefined : { host: known, port: digits };
}

const isPort = (port: unknown): port is number =>
  Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535;

/**
 * Where the node at `address` is reached from here. An object may have an IPv6 address without brackets too.
 *
 * @throws what the function of the user throws, and an Error if it gives what is no address
 */
export function translate(address: Address, natMap: NatMap | undefined): Address {
  if (natMap === undefined) return address;
  const name = nameOf(address);
  const found: unknown =
    typeof natMap === 'function'
      ? natMap(name)
      : [name, `${address.host}:${address.port}`].flatMap((one) =>
          Object.hasOwn(natMap, one) ? [natMap[one]] : [],
        )[0];
  if (found === undefined || found === null) return address;
  const mapped = readMapped(found);
  if (mapped === undefined) throw new Error(`natMap gave for ${name} what is no { host, port }`);
  return mapped;
}

/** What a NAT map has for an address; nothing, if it is none. */
export function readMapped(found: unknown): Address | undefined {
  const { host, port } = Object(found) as Record<string, unknown>;
  const known = readHost(host);
  return known !== undefined && isPort(port) ? { host: known, port } : undefined;
}
