import { isIPv6, SocketAddress } from 'node:net';
import type { Redis, RedisOptions } from 'ioredis';
import type { ClientOptions } from '../api/options.ts';

/** How long one sentinel may take where the dial has no deadline: ioredis' own default for sockets. */
const LONGEST_ASK_MS = 10_000;

/** The error of a sentinel that does not know the name, when it is asked for more than the master. */
const NO_MASTER = /ERR No such master/;

type Sentinels = NonNullable<RedisOptions['sentinels']>;
type Endpoint = Sentinels[number];

/** The address of a server. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export type PartTimes = Pick<RedisOptions, 'connectTimeout' | 'sentinelCommandTimeout'>;

/** The methods with which ioredis asks sentinels, and checks the role of the server; private, so they may be missing. */
interface Asking {
  connectToSentinel?(this: Asking, ...args: unknown[]): Redis;
  resolve?(this: Asking, ...args: unknown[]): Promise<Address | null>;
  check?(this: Asking, info: { readonly role?: string }): boolean;
}

/**
 * How long ioredis may take for its parts of a dial over sentinels that may take `limitMs`. Each of them gets a share,
 * and one is left for the server itself, so that one that does not answer keeps nobody from the others. What `given`
 * says is kept, as long as it leaves a share for the rest.
 */
export function partTimes(given: RedisOptions, limitMs: number): PartTimes {
  const { sentinels = [], connectTimeout, sentinelCommandTimeout } = given;
  const share = Math.min(LONGEST_ASK_MS, Math.max(1, Math.floor(limitMs / (sentinels.length + 1))));
  const most = Math.max(share, limitMs - share);
  return {
    connectTimeout: connectTimeout ? Math.min(connectTimeout, most) : 0,
    // This time-out includes the connect.
    sentinelCommandTimeout: Math.min(sentinelCommandTimeout ?? share, most),
  };
}

/** An address as one text. */
export const nameOf = ({ host, port }: Address): string => `${host}:${port}`;

/** An IP address in the spelling that sockets use. */
export function canonical(address: string): string {
  return isIPv6(address) ? new SocketAddress({ address, family: 'ipv6' }).address : address;
}

/** The address that the pool uses for the server that sentinels know as `there`. */
export function natMapped(there: Address, natMap: RedisOptions['natMap']): Address {
  const name = nameOf(there);
  return (typeof natMap === 'function' ? natMap(name) : natMap?.[name]) ?? there;
}

/** The order in which the dials of one pool ask the sentinels: one that failed is last from then on. */
export class SentinelOrder {
  #order: Sentinels;

  constructor(sentinels: Sentinels) {
    this.#order = sentinels;
  }

  /** The next one to ask. */
  get first(): Endpoint | undefined {
    return this.#order[0];
  }

  /** `options` with the sentinels in that order. */
  apply(options: ClientOptions): ClientOptions {
    return { ...options, sentinels: this.#order };
  }

  failed(sentinel: Endpoint): void {
    if (!this.#order.includes(sentinel)) return;
    this.#order = [...this.#order.filter((one) => one !== sentinel), sentinel];
  }
}

/** Observes one dial while it asks its sentinels, and closes the clients that are left. */
export class SentinelWatch {
  readonly #client: Redis;
  readonly #order: SentinelOrder | undefined;
  /** The sentinels, in the order in which they are asked. */
  readonly #sentinels: Sentinels;
  /** The failures of those that were asked. */
  readonly #failures: string[] = [];
  readonly #open = new Set<Redis>();
  /** The error of the one that is being asked, which ioredis hides. */
  #cause: string | undefined;
  /** The address that the last one gave; `null` if it gave none. */
  #named: Address | null | undefined;
  /** Why the server at that address was refused. */
  #refused: string | undefined;

  /** `clean` removes secrets from an error: a sentinel may repeat what it was sent. */
  constructor(client: Redis, order: SentinelOrder | undefined, clean: (error: Error) => Error) {
    this.#client = client;
    this.#order = order;
    this.#sentinels = client.options.sentinels ?? [];
    client.on('sentinelError', (error: Error) => {
      const failure = this.#named === null || NO_MASTER.test(error.message) ? this.#ignorance : undefined;
      this.#failed();
      const [, start = '', reason = ''] = /^(.* because )?(.*)$/s.exec(error.message) ?? [];
      const why = reason === 'Connection is closed.' ? (this.#cause ?? reason) : reason;
      this.#failures.push(failure ?? start + clean(new Error(why)).message);
    });
    this.#observe();
  }

  /** The names of the server; none until a sentinel has given one. */
  get places(): readonly string[] {
    if (!this.#named) return [];
    const { remoteAddress: host, remotePort: port } = this.#client.stream ?? {};
    return [nameOf(this.#named), ...(host && port ? [nameOf({ host, port })] : [])];
  }

  /** Why there is no connection yet, if the sentinels are the cause. */
  get blamed(): string | undefined {
    if (this.#refused) return this.#refused;
    if (this.#client.stream) return undefined;
    const asked = this.#asked;
    const now = asked ? [`sentinel ${asked.host}:${asked.port ?? 26379} did not answer`] : [];
    return `no sentinel told where the server is: ${[...this.#failures, ...now].join('; ')}`;
  }

  /** To be called when the dial has ended: closes all clients of sentinels. */
  end(): void {
    if (this.blamed) this.#failed();
    for (const sentinel of this.#open) {
      sentinel.disconnect();
      sentinel.stream?.destroy();
    }
  }

  /** The sentinel that is being asked. */
  get #asked(): Endpoint | undefined {
    return this.#sentinels[this.#failures.length];
  }

  /** The failure of a sentinel that gave no address. */
  get #ignorance(): string {
    const { name, role } = this.#client.options;
    const { host, port = 26379 } = this.#asked ?? {};
    const nothing = role === 'slave' ? `no replica of '${name}' that is up` : `no master '${name}'`;
    return `sentinel ${host}:${port} knows ${nothing}`;
  }

  /** Records that the sentinel that was asked last has failed. */
  #failed(): void {
    const sentinel = this.#asked;
    if (sentinel) this.#order?.failed(sentinel);
  }

  /** Collects the clients that ioredis makes for sentinels, while they have sockets, and what the sentinels answer. */
  #observe(): void {
    const { connector } = this.#client as unknown as { connector?: Asking };
    const { connectToSentinel, resolve, check } = connector ?? {};
    if (connector === undefined) return;
    if (typeof connectToSentinel === 'function') {
      connector.connectToSentinel = (...args) => {
        const sentinel = connectToSentinel.apply(connector, args);
        this.#open.add(sentinel);
        this.#cause = undefined;
        sentinel.once('error', (error) => {
          this.#cause = error.message;
        });
        sentinel.once('end', () => this.#open.delete(sentinel));
        return sentinel;
      };
    }
    if (typeof resolve === 'function') {
      connector.resolve = async (...args) => {
        this.#named = undefined;
        this.#named = await resolve.apply(connector, args);
        return this.#named;
      };
    }
    if (typeof check === 'function') {
      connector.check = (info) => {
        const right = check.call(connector, info);
        const { role } = this.#client.options;
        if (!right)
          this.#refused = `a sentinel named ${this.places[0]} as the ${role}, but that is a ${info.role}`;
        return right;
      };
    }
  }
}
