/** What is known of a server's clients, and of a pool that is one of them. */
export interface Numbers {
  /** Clients that are connected, this pool's first connection among them. */
  readonly connected: number;
  /** As many the server allows. */
  readonly maxClients: number;
  readonly maxActive: number;
  /** What the pool's connections are called at the server. */
  readonly clientName: string;
}

/** Connections without a name may be ones that are being dialled, perhaps by this very pool, while they are so young. */
const YOUNG_S = 5;

/** Whether all pools could be too many for the server, if every client there is stood for one. */
export function mayBeTooMany(connected: number, maxActive: number, maxClients = 0): boolean {
  return connected * maxActive > maxClients;
}

/**
 * Why the server has no room for this pool and its like in other processes, if it has none. `list` is a reply to CLIENT
 * LIST; without it, this process is the only one that is seen. There may be more processes than can be told apart, but
 * not fewer: from one address, as many connections as two pools may have are of two at least.
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
