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

/**
 * What was told of a node, checked, for it comes from the wire: no host, or one that is not known to whoever told of it,
 * is that of the node that was asked. Nothing, if it cannot be an address.
 */
export function readAddress(host: unknown, port: unknown, asked: Address): Address | undefined {
  const digits = typeof port === 'number' ? port : /^\d{1,5}$/.test(String(port)) ? Number(port) : 0;
  if (!Number.isInteger(digits) || digits < 1 || digits > 65_535) return undefined;
  if (host === null || host === undefined || host === '' || host === '?')
    return { host: asked.host, port: digits };
  const text = typeof host === 'string' ? host : Buffer.isBuffer(host) ? host.toString() : '';
  // Whatever else a host may be, it has no space and nothing that ends a line.
  return /^[\x21-\x7e]{1,255}$/.test(text)
    ? { host: text.replace(/^\[(.*)\]$/, '$1'), port: digits }
    : undefined;
}

/** Where the node at `address` is reached from here. */
export function translate(address: Address, natMap: NatMap | undefined): Address {
  if (natMap === undefined) return address;
  const name = `${address.host}:${address.port}`;
  const found = typeof natMap === 'function' ? natMap(name) : Object.hasOwn(natMap, name) && natMap[name];
  return found ? { host: found.host, port: found.port } : address;
}
