import type { Connection } from '../core/dependencies.ts';
import { warn } from '../util/warn.ts';

/** With more clients than this, CLIENT LIST would block the server for milliseconds. */
const MOST_LISTED = 1000;

/**
 * Makes the check of a pool's first connection. INFO was read during the dial; usually it shows that there is room for
 * many such pools, and no command is sent. Otherwise the commands are sent before anyone gets the connection, and are
 * not waited for.
 */
export function checkMaxClientsOnce(pool: { name: string; maxActive: number }, clientName: string) {
  let done = false;
  return (connection: Connection): void => {
    if (done) return;
    done = true;
    inspect(connection, pool, clientName).then(
      (why) => why && warn(`pool ${pool.name}: ${why}`),
      () => {}, // not permitted, or the connection is lost: then the check is skipped
    );
  };
}

async function inspect(
  { client, clients }: Connection,
  { maxActive }: { maxActive: number },
  clientName: string,
): Promise<string | undefined> {
  const connected = clients?.connected;
  if (connected === undefined) return undefined;
  const asked = clients?.max === undefined ? client.config('GET', 'maxclients') : undefined;
  const worthListing =
    connected <= MOST_LISTED && (asked || mayBeTooMany(connected, maxActive, clients?.max));
  const list = worthListing ? client.client('LIST').catch(() => undefined) : undefined;
  const maxClients = clients?.max ?? Number(settingIn(await asked));
  const numbers: Numbers = { connected, maxClients, maxActive, clientName };
  return whyTooMany(numbers, (await list) as string | undefined);
}

/** The value in a reply to CONFIG GET, which is a list in RESP2 and a map in RESP3. */
function settingIn(reply: unknown): unknown {
  return Array.isArray(reply) ? reply[1] : Object.values(reply ?? {})[0];
}

/** What is known of a server's clients, and of the pool. */
export interface Numbers {
  /** Connected clients, this pool's first connection included. */
  readonly connected: number;
  /** The most clients that the server allows (maxclients). */
  readonly maxClients: number;
  readonly maxActive: number;
  /** The name of the pool's connections at the server (CLIENT SETNAME). */
  readonly clientName: string;
}

/** Younger connections without a name than this may still be connecting, perhaps from this pool. Seconds. */
const YOUNG_S = 5;

/** Whether the server would have too many clients if every present client belonged to another such pool. */
export function mayBeTooMany(connected: number, maxActive: number, maxClients = 0): boolean {
  return connected * maxActive > maxClients;
}

/**
 * Why the server has no room for this pool and the same pool in other processes, if it has none. `list` is a reply to
 * CLIENT LIST; without it, only this process is counted. There may be more processes than can be distinguished, but not
 * fewer: more connections from one address than one pool may have belong to at least two.
 */
export function whyTooMany(numbers: Numbers, list: string | undefined): string | undefined {
  const { connected, maxActive, maxClients } = numbers;
  const { processes, others } =
    list === undefined ? { processes: 1, others: connected - 1 } : countClients(list, numbers);
  const wanted = processes * maxActive + others;
  if (!(wanted > maxClients)) return undefined;
  return (
    `the server allows ${maxClients} clients (maxclients), but ${processes} ${processes > 1 ? 'processes' : 'process'} ` +
    `with maxActive ${maxActive} and ${others} other connections come to ${wanted}`
  );
}

function countClients(
  list: string,
  { clientName, maxActive }: Numbers,
): { processes: number; others: number } {
  const byAddress = new Map<string, number>();
  let others = 0;
  for (const line of list.split('\n')) {
    const address = /(?:^| )addr=(\S*):\d+/.exec(line)?.[1];
    if (address === undefined) continue;
    const name = / name=(\S*)/.exec(line)?.[1];
    const age = Number(/ age=(\d+)/.exec(line)?.[1]);
    if (name === clientName) byAddress.set(address, (byAddress.get(address) ?? 0) + 1);
    else if (name || age >= YOUNG_S) others++;
  }
  let processes = 0;
  for (const connections of byAddress.values()) processes += Math.ceil(connections / maxActive);
  return { processes: Math.max(1, processes), others };
}
