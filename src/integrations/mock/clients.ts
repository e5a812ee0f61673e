import type { Redis, RedisOptions } from 'ioredis';
import type { ClientOptions, PoolOptions } from '../../api/options.ts';
import { Connector } from './connector.ts';
import { soon } from './mock-clock.ts';
import type { MockServer } from './server.ts';

type CreateClient = Exclude<PoolOptions['createClient'], undefined>;

/** Lets the clients that `create` makes connect to `server`. */
export function memoryClients(server: MockServer, create: CreateClient): CreateClient {
  // In the order in which the pool numbers its connections.
  let dialled = 0;
  return (options, context) => {
    const id = ++dialled;
    class Own extends Connector {
      constructor() {
        super(server.dials, () => server.open(id).socket);
      }
    }
    // With the client's info ioredis 5 would read a file first, which takes time that is not the mock's.
    const own = { ...options, disableClientInfo: true, Connector: Own } as unknown as ClientOptions;
    const made = create(own, context);
    const take = (client: Redis): Redis => taken(client, Own as unknown as RedisOptions['Connector']);
    return 'then' in made ? made.then(take) : take(made);
  };
}

const TAKEN = new WeakSet<Redis>();

function taken(client: Redis, Own: RedisOptions['Connector']): Redis {
  if (typeof client?.sendCommand !== 'function') return client; // the pool reports what is wrong with it
  if (TAKEN.has(client)) return client; // the pool reports this too
  TAKEN.add(client);
  if (client.options?.Connector !== Own) {
    client.disconnect();
    throw new TypeError(
      'createClient must pass on the options given to it: they lead a MockPool into memory',
    );
  }
  // ioredis emits its status in the next tick, which fake timers may hold back.
  Object.defineProperty(client, 'setStatus', {
    value(status: Redis['status'], detail: unknown): void {
      client.status = status;
      soon(() => client.emit(status, detail));
    },
  });
  return client;
}
