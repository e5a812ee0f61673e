import type { Command } from 'ioredis';
import { Group } from './commands/group.ts';
import { isReadOnly } from './commands/kinds.ts';
import type { Lane, Unit } from './commands/lane.ts';
import type { LargeReplies } from './core/large-replies.ts';
import { another } from './errors.ts';
import { rejectSafely } from './redis/internals.ts';

/** What was handed over in one tick. It goes over one lane, in order. */
export interface Batch {
  readonly units: readonly Unit[];
  /** When it was complete. */
  readonly at: number;
  /** Its reply is expected to be large. */
  readonly large: boolean;
  /** How many units of it are sent. */
  sent: number;
  /** Which lane has taken its first part, and must take the rest. */
  lane: Lane | undefined;
}

/** Commands that are not sent yet: what this tick brings, and the batches of earlier ones that wait for a lane. */
export class CommandQueue {
  /** How many commands there are in all. */
  length = 0;
  /** Those of earlier ticks, in order. */
  batches: Batch[] = [];
  #gathered: Unit[] = [];
  /** How many groups are among the gathered. */
  #groups = 0;

  /** Takes a command. */
  add(command: Command): void {
    this.length++;
    this.#gathered.push(command);
  }

  /** Takes a group. Its commands come in the same go, and are counted by `length` as they come. */
  addGroup(group: Group): void {
    this.#groups++;
    this.#gathered.push(group);
  }

  /** Ends the batch of this tick. `elsewhere` takes groups that need a connection of their own. */
  endBatch(at: number, elsewhere: (commands: readonly Command[]) => void): void {
    let units = this.#gathered;
    const groups = this.#groups;
    this.#gathered = [];
    this.#groups = 0; // before listeners, whom `elsewhere` may reach, can bring the next ones
    if (groups > 0) units = units.filter((unit) => this.#belongs(unit, elsewhere));
    if (units.length > 0) this.batches.push(batchOf(units, at));
  }

  /**
   * Takes commands with large replies out of the last batch, so that the others need not wait for them. Only if all of
   * them just read: then nobody can tell in which order they arrive.
   */
  splitLast(large: LargeReplies): void {
    const last = this.batches.at(-1);
    if (last === undefined || last.sent > 0 || !last.units.every(reads)) return;
    const isLarge = (unit: Unit): boolean => !(unit instanceof Group) && large.expects(unit.name, unit.args);
    const apart = last.units.filter(isLarge);
    if (apart.length === 0) return;
    this.batches.pop();
    const { at } = last;
    const others = last.units.filter((unit) => !isLarge(unit));
    if (others.length > 0) this.batches.push(batchOf(others, at));
    for (const unit of apart) this.batches.push(batchOf([unit], at, true));
  }

  /** Puts what was sent in vain before all others. */
  putFirst(units: readonly Unit[], at: number): void {
    if (units.length === 0) return;
    this.batches.unshift(batchOf(units, at));
    this.length += sizeOf(units, 0, units.length);
  }

  /** Tells that `batch` is sent up to unit `sent`. */
  sent(batch: Batch, sent: number): void {
    this.length -= sizeOf(batch.units, batch.sent, sent);
    batch.sent = sent;
    if (sent === batch.units.length) this.batches.splice(this.batches.indexOf(batch), 1);
  }

  /** Rejects those batches that came at `moment` or before. */
  reject(moment: number, error: Error): void {
    const all = this.batches;
    this.batches = all.filter(({ at }) => at > moment);
    for (const { units, at, sent } of all) {
      if (at > moment) continue;
      this.length -= sizeOf(units, sent, units.length);
      for (const unit of units.slice(sent)) {
        if (unit instanceof Group) unit.refuse(another(error));
        else rejectSafely(unit, another(error));
      }
    }
  }

  #belongs(unit: Unit, elsewhere: (commands: readonly Command[]) => void): boolean {
    if (!(unit instanceof Group) || !(unit.own || unit.refusal)) return true;
    this.length -= unit.commands.length;
    if (!unit.refusal) elsewhere(unit.commands);
    return false;
  }
}

function batchOf(units: readonly Unit[], at: number, large = false): Batch {
  return { units, at, large, sent: 0, lane: undefined };
}

function reads(unit: Unit): boolean {
  return unit instanceof Group ? unit.commands.every(reads) : isReadOnly(unit.name, unit.args);
}

/** How many commands there are in `units`, from `from` to before `to`. */
function sizeOf(units: readonly Unit[], from: number, to: number): number {
  let size = to - from;
  for (let i = from; i < to; i++) {
    const unit = units[i];
    if (unit instanceof Group) size += unit.commands.length - 1;
  }
  return size;
}
