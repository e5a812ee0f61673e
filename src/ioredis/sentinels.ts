import type { Redis, RedisOptions } from 'ioredis';
import type { ClientOptions } from '../api/options.ts';

/** What one sentinel may take where a dial may take for ever; as long as ioredis waits for a socket. */
const LONGEST_ASK_MS = 10_000;

type Sentinels = NonNullable<RedisOptions['sentinels']>;
type Endpoint = Sentinels[number];

export type PartTimes = Pick<RedisOptions, 'connectTimeout' | 'sentinelCommandTimeout'>;

/** What ioredis makes its clients of sentinels with; private, so it may be missing. */
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
    // Its time begins with the connecting, which it covers.
    sentinelCommandTimeout: Math.min(sentinelCommandTimeout ?? share, most),
  };
}

/** In which order the dials of one pool ask the sentinels: whoever failed comes last from then on. */
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

/** Looks on while one dial asks its sentinels, and ends what is left of that. */
export class SentinelWatch {
  readonly #client: Redis;
  readonly #order: SentinelOrder | undefined;
  /** Those that are asked, in order. */
  readonly #sentinels: Sentinels;
  /** Why those did not help that were asked. */
  readonly #failures: string[] = [];
  readonly #open = new Set<Redis>();
  /** What the one said that is asked, which ioredis hides. */
  #cause: string | undefined;

  /** `clean` takes out of an error what must not leave: a sentinel may repeat what it was sent. */
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

  /** Why there is no connection yet, if the sentinels are to blame. */
  get blamed(): string | undefined {
    if (this.#client.stream) return undefined;
    const asked = this.#sentinels[this.#failures.length];
    const now = asked ? [`sentinel ${asked.host}:${asked.port ?? 26379} did not answer`] : [];
    return `no sentinel told where the server is: ${[...this.#failures, ...now].join('; ')}`;
  }

  /** The dial is over: nobody waits for them any more. */
  end(): void {
    if (this.blamed) this.#failed();
    for (const sentinel of this.#open) {
      sentinel.disconnect();
      sentinel.stream?.destroy();
    }
  }

  /** The one that is being asked, or was last, is of no help. */
  #failed(): void {
    const sentinel = this.#sentinels[this.#failures.length];
    if (sentinel) this.#order?.failed(sentinel);
  }

  /** Keeps the clients that ioredis makes for sentinels, for as long as they have sockets. */
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
