import type { Connection } from '../core/dependencies.ts';
import { warn } from '../util/warn.ts';
import { mayBeTooMany, type Numbers, whyTooMany } from './capacity.ts';

/** With more clients than this, CLIENT LIST would keep the server for milliseconds. */
const MOST_LISTED = 1000;

/**
 * Makes what looks at the first connection of a pool. INFO has been read during the dial; most often it says that there
 * is room for many such pools, and nothing more is asked. What is asked is sent before anyone has the connection, and
 * not waited for.
 */
export function checkMaxClientsOnce(pool: { name: string; maxActive: number }, clientName: string) {
  let done = false;
  return (connection: Connection): void => {
    if (done) return;
    done = true;
    inspect(connection, pool, clientName).then(
      (why) => why && warn(`pool ${pool.name}: ${why}`),
      () => {}, // it may not ask, or the connection is gone: then nobody knows
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

/** The value in a reply of CONFIG GET, which is a list in RESP2 and a map in RESP3. */
function settingIn(reply: unknown): unknown {
  return Array.isArray(reply) ? reply[1] : Object.values(reply ?? {})[0];
}
