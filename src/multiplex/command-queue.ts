import type { Command } from 'ioredis';
import { another } from '../api/errors.ts';
import { rejectSafely } from '../ioredis/internals.ts';
import { bytesOf } from '../ioredis/lean-command.ts';
import { CommandGroup } from './command-group.ts';
import type { QueueEntry } from './lane.ts';

/** What was handed over in one tick, as far as it is not sent. */
export interface Batch {
  units: readonly QueueEntry[];
  /** When it was complete. */
  readonly at: number;
  /** How many units of it are sent. */
  sent: number;
  /** How many commands are left of it, and what their arguments weigh. */
  commands: number;
  bytes: number;
}

/** Commands that are not sent yet: what this tick brings, and the batches of earlier ones that wait. */
export class CommandQueue {
  /** How many commands there are in all. */
  length = 0;
  /** What their arguments weigh. */
  bytes = 0;
  /** How many groups of earlier ticks need a connection of their own. */
  owns = 0;
  /** Those of earlier ticks, in order. */
  batches: Batch[] = [];
  #gathered: QueueEntry[] = [];
  /** How many groups are among the gathered. */
  #groups = 0;

  /** Takes a command, of so many bytes. */
  add(command: Command, bytes: number): void {
    this.length++;
    this.bytes += bytes;
    this.#gathered.push(command);
  }

  /** Takes a group. Its commands come in the same go, and `addedTo` is told of each. */
  addGroup(group: CommandGroup): void {
    this.#groups++;
    this.#gathered.push(group);
  }

  addedTo(group: CommandGroup, bytes: number): void {
    group.bytes += bytes;
    this.length++;
    this.bytes += bytes;
  }

  /** Ends the batch of this tick. */
  endBatch(at: number): void {
    let units = this.#gathered;
    if (units.length === 0) return;
    if (this.#groups > 0) units = units.filter((unit) => this.#belongs(unit));
    if (units.length > 0) {
      let { length: commands, bytes } = this; // but for what is in earlier batches
      for (const batch of this.batches) {
        commands -= batch.commands;
        bytes -= batch.bytes;
      }
      this.batches.push({ units, at, sent: 0, commands, bytes });
    }
    this.#gathered = [];
    this.#groups = 0;
  }

  /** Puts what was sent in vain before all others. */
  putFirst(units: readonly QueueEntry[], at: number): void {
    if (units.length === 0) return;
    const batch: Batch = { units, at, sent: 0, commands: 0, bytes: 0 };
    for (const unit of units) {
      batch.commands += commandsOf(unit);
      batch.bytes += weightOf(unit);
    }
    this.length += batch.commands;
    this.bytes += batch.bytes;
    this.batches.unshift(batch);
  }

  /** Tells that `batch` is sent up to unit `sent`. */
  sent(batch: Batch, sent: number): void {
    if (sent === batch.units.length) {
      this.#drop(batch);
      return;
    }
    for (let i = batch.sent; i < sent; i++) this.take(batch, batch.units[i] as QueueEntry);
    batch.sent = sent;
  }

  /** Counts a unit of `batch` no longer. */
  take(batch: Batch, unit: QueueEntry): void {
    const commands = commandsOf(unit);
    const bytes = weightOf(unit);
    batch.commands -= commands;
    batch.bytes -= bytes;
    this.length -= commands;
    this.bytes -= bytes;
    if (unit instanceof CommandGroup && unit.own) this.owns--;
  }

  /** Tells that `units` are all that is left of `batch`, after others were taken. */
  leave(batch: Batch, units: readonly QueueEntry[]): void {
    batch.units = units;
    batch.sent = 0;
    if (units.length === 0) this.#drop(batch);
  }

  /** Rejects those batches that came at `moment` or before. */
  reject(moment: number, error: Error): void {
    const all = this.batches.filter(({ at }) => at <= moment);
    for (const batch of all) {
      const units = batch.units.slice(batch.sent);
      this.#drop(batch);
      for (const unit of units) {
        if (!(unit instanceof CommandGroup)) rejectSafely(unit, another(error));
        else {
          if (unit.own) this.owns--;
          unit.refuse(another(error));
        }
      }
    }
  }

  #drop(batch: Batch): void {
    this.length -= batch.commands;
    this.bytes -= batch.bytes;
    this.batches.splice(this.batches.indexOf(batch), 1);
  }

  /** Nothing of what was refused as it came is sent. */
  #belongs(unit: QueueEntry): boolean {
    if (!(unit instanceof CommandGroup)) return true;
    if (!unit.refusal) {
      if (unit.own) this.owns++;
      return true;
    }
    this.length -= unit.commands.length;
    this.bytes -= unit.bytes;
    return false;
  }
}

/** How many commands a unit has. */
export function commandsOf(unit: QueueEntry): number {
  return unit instanceof CommandGroup ? unit.commands.length : 1;
}

/** What the arguments of a unit weigh. */
export function weightOf(unit: QueueEntry): number {
  return unit instanceof CommandGroup ? unit.bytes : bytesOf(unit);
}
