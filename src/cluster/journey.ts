import type { Command } from 'ioredis';
import { LeanCommand } from '../ioredis/lean-command.ts';
import type { Node } from './node.ts';

/** Is told that a command was refused; returns whether it will see to it. */
export interface Router {
  refused(command: Command, journey: Journey, error: unknown): boolean;
}

/** What goes together, and is sent again together: a command, or a transaction from MULTI to EXEC. */
export interface Unit {
  readonly commands: readonly Command[];
  /** Why it was not done the last time. */
  error: unknown;
  /** What was refused of a transaction, and is not told yet: that depends on its EXEC. */
  held: { readonly journey: Journey; readonly error: unknown }[];
  /** How often it was refused for now, and how often in a row it was sent somewhere else. */
  delays: number;
  hops: number;
  /** Its place among those that wait until they may be done. */
  turn: number | undefined;
  /** The node that has its key already, though the slot is not there yet. */
  asked: Node | undefined;
}

/** What is known of a command on its way. */
export interface Journey {
  /** When it was given, in whole milliseconds. */
  since: number;
  /** Where it was sent last. */
  node: Node | undefined;
  unit: Unit | undefined;
  /** Rejects it. */
  fail(error: unknown): void;
}

/** A plain command that is told of by its router when it is refused. One for each call: it has no closures. */
export class RoutedCommand extends LeanCommand implements Journey {
  since = 0;
  node: Node | undefined = undefined;
  unit: Unit | undefined = undefined;
  router: Router | undefined = undefined;

  override reject(error: unknown): void {
    if (this.router?.refused(this as unknown as Command, this, error)) return;
    super.reject(error);
  }

  fail(error: unknown): void {
    super.reject(error);
  }
}

const JOURNEY = Symbol('journey');

/** The journey of `command`, which begins now if it has none yet. */
export function journeyOf(command: Command, router: Router): Journey {
  const ours: object = command;
  if (ours instanceof RoutedCommand) {
    ours.router = router;
    return ours;
  }
  const noted = command as unknown as { [JOURNEY]?: Journey };
  if (noted[JOURNEY]) return noted[JOURNEY];
  const { reject } = command;
  const journey: Journey = {
    ...{ since: 0, node: undefined, unit: undefined },
    fail: (error) => reject.call(command, error as Error),
  };
  noted[JOURNEY] = journey;
  command.reject = (error) => {
    if (!router.refused(command, journey, error)) journey.fail(error);
  };
  return journey;
}

/** The unit of a command by itself, or of a transaction. */
export function unitOf(commands: readonly Command[]): Unit {
  return { commands, error: undefined, held: [], delays: 0, hops: 0, turn: undefined, asked: undefined };
}
