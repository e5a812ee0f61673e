import type { Redis, RedisOptions } from 'ioredis';
import type { ClientOptions } from '../api/options.ts';

/** How long one sentinel may take where the dial has no deadline: ioredis' own default for sockets. */
const LONGEST_ASK_MS = 10_000;

type Sentinels = NonNullable<RedisOptions['sentinels']>;
type Endpoint = Sentinels[number];

export type PartTimes = Pick<RedisOptions, 'connectTimeout' | 'sentinelCommandTimeout'>;

/** The method with which ioredis makes its clients of sentinels; private, so it may be missing. */
interface Asking {
  connectToSentinel?(this: Asking, ...args: unknown[]): Redis;
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

/** The order in which the dials of one pool ask the sentinels: one that failed is last from then on. */
export class SentinelOrder {
  #order: Sentinels;

  constructor(sentinels: Sentinels) {
    this.#order = sentinels;
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

  /** `clean` removes secrets from an error: a sentinel may repeat what it was sent. */
  constructor(client: Redis, order: SentinelOrder | undefined, clean: (error: Error) => Error) {
    this.#client = client;
    this.#order = order;
    this.#sentinels = client.options.sentinels ?? [];
    client.on('sentinelError', (error: Error) => {
      this.#failed();
      const [, start = '', reason = ''] = /^(.* because )?(.*)$/s.exec(error.message) ?? [];
      const why = reason === 'Connection is closed.' ? (this.#cause ?? reason) : reason;
      this.#failures.push(start + clean(new Error(why)).message);
    });
    this.#keepAsking();
  }

  /** Why there is no connection yet, if the sentinels are the cause. */
  get blamed(): string | undefined {
    if (this.#client.stream) return undefined;
    const asked = this.#sentinels[this.#failures.length];
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

  /** Records that the sentinel that was asked last has failed. */
  #failed(): void {
    const sentinel = this.#sentinels[this.#failures.length];
    if (sentinel) this.#order?.failed(sentinel);
  }

  /** Collects the clients that ioredis makes for sentinels, while they have sockets. */
  #keepAsking(): void {
    const { connector } = this.#client as unknown as { connector?: Asking };
    const { connectToSentinel } = connector ?? {};
    if (connector === undefined || typeof connectToSentinel !== 'function') return;
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
}
