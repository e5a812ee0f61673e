import { atLeast, type Command, container, exactly } from '../command.ts';
import { glob } from '../glob.ts';
import { Pairs } from '../reply.ts';

/** What CONFIG GET knows; CONFIG SET is refused, since it would have no effect. */
const CONFIG: Readonly<Record<string, string>> = {
  appendonly: 'no',
  'cluster-enabled': 'no',
  databases: '16',
  maxclients: '10000',
  maxmemory: '0',
  'maxmemory-policy': 'noeviction',
  'notify-keyspace-events': '',
  'proto-max-bulk-len': '536870912',
  requirepass: '',
  save: '',
  'stream-node-max-entries': '100',
  timeout: '0',
};

export const serverCommands: Readonly<Record<string, Command>> = {
  time: exactly(0, ({ date }) => [String(Math.floor(date() / 1000)), String((date() % 1000) * 1000)]),
  role: exactly(0, () => ['master', 0, []]),
  wait: exactly(2, () => 0),
  config: container('config', {
    get: atLeast(1, (_, ...patterns) => {
      const found = patterns.flatMap((pattern): [string, string][] => {
        const exact = CONFIG[pattern.toLowerCase()];
        if (exact !== undefined) return [[pattern, exact]];
        return Object.entries(CONFIG).filter(([name]) => glob(pattern.toLowerCase())(name));
      });
      return new Pairs([...new Map(found)]);
    }),
  }),
  pubsub: container('pubsub', {
    channels: atLeast(
      0,
      ({ clients }, pattern = '*') => {
        const all = new Set([...clients].flatMap(({ channels }) => [...channels]));
        return [...all].filter(glob(pattern));
      },
      1,
    ),
    numsub: atLeast(0, ({ clients }, ...names) => {
      const all = [...clients];
      return names.flatMap((name) => [name, all.filter(({ channels }) => channels.has(name)).length]);
    }),
    numpat: exactly(0, ({ clients }) => new Set([...clients].flatMap(({ patterns }) => [...patterns])).size),
  }),
};
