import type { Command } from './command.ts';
import { bits } from './commands/bits.ts';
import { connectionCommands } from './commands/connection.ts';
import { geo } from './commands/geo.ts';
import { hashes } from './commands/hashes.ts';
import { hyperLogLogs } from './commands/hyperloglog.ts';
import { keys } from './commands/keys.ts';
import { lists } from './commands/lists.ts';
import { scripting } from './commands/scripting.ts';
import { serverCommands } from './commands/server.ts';
import { sets } from './commands/sets.ts';
import { sortedSetCombining } from './commands/sorted-set-combining.ts';
import { sortedSetRanges } from './commands/sorted-set-ranges.ts';
import { sortedSets } from './commands/sorted-sets.ts';
import { streamGroups } from './commands/stream-groups.ts';
import { streams } from './commands/streams.ts';
import { strings } from './commands/strings.ts';

const ALL: ReadonlyMap<string, Command> = new Map(
  Object.entries({
    ...connectionCommands,
    ...scripting,
    ...keys,
    ...strings,
    ...bits,
    ...hashes,
    ...lists,
    ...sets,
    ...sortedSets,
    ...sortedSetRanges,
    ...sortedSetCombining,
    ...streams,
    ...streamGroups,
    ...hyperLogLogs,
    ...geo,
    ...serverCommands,
  }),
);

/** The command of this name, in lower case; `undefined` if the mock does not have it. */
export function commandOf(name: string): Command | undefined {
  return ALL.get(name);
}

/** The names of all commands but those of transactions. */
export function commandNames(): string[] {
  return [...ALL.keys()];
}
