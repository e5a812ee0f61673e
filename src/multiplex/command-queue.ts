import type { Command } from 'ioredis';
import { another } from '../api/errors.ts';
import { refusalOf } from '../ioredis/error-replies.ts';
import { rejectSafely } from '../ioredis/internals.ts';
import { bytesOf } from '../ioredis/lean-command.ts';
import { CommandGroup } from './command-group.ts';
import type { QueueEntry } from './lane.ts';

/** So many commands do not wait for the end of their tick. */
const LARGE_BATCH = 256;
/**
 * Fewer do: each batch is a write and a read more on both sides. Callers whose commands come in two halves of this size
 * take 1 % more CPU here and 10 % more at the server than together; of half this size 8 and 18 %.
 */
const SMALL_BATCH = 50;

/** The unsent commands of one tick, or of a part of it. */
export interface Batch {
  units: readonly QueueEntry[];
  /** When its tick ended; until then `Infinity`. */
  at: number;
  /** The number of its units that are sent. */
  sent: number;
  /** The number of its commands that are not sent, and the size of their arguments. */
  commands: number;
  bytes: number;
}

/** Commands that are not sent yet: those of the current tick, and the batches of earlier ones. */
export class CommandQueue {
  /** The number of commands. */
  length = 0;
  /** The size of their arguments. Bytes. */
  bytes = 0;
  /** How many of these Redis has refused to run for now, and are not to be sent yet, and their size. */
  readonly held = { commands: 0, bytes: 0 };
  /** The number of groups in batches that need a dedicated connection. */
  dedicatedGroups = 0;
  /** What is to be sent, in order. */
  batches: Batch[] = [];
  /** How many commands of this tick were sent before it has ended. */
  sentEarly = 0;
  /** What this tick has brought since the last batch. */
  #gathered: QueueEntry[] = [];
  /** The number of groups among it. */
  #groups = 0;
  /** With so many commands a batch is sent before the tick has ended. */
  #limit = LARGE_BATCH;

  /** Adds a command with this size of arguments. */
  add(command: Command, bytes: number): void {
    this.length++;
    this.bytes += bytes;
    this.#gathered.push(command);
  }

  /** Adds a group. Its commands follow synchronously; `addedTo` is to be called for each. */
  addGroup(group: CommandGroup): void {
    this.#groups++;
    this.#gathered.push(group);
  }

  addedTo(group: CommandGroup, bytes: number): void {
    group.bytes += bytes;
    this.length++;
    this.bytes += bytes;
  }

  /**
   * Whether what the tick has brought so far is to be sent now, so that the server works on it while the rest is made.
   */
  get isDue(): boolean {
    return this.length - this.held.commands >= this.#limit && this.isWhole;
  }

  /** Whether all groups of this tick have all their commands. */
  get isWhole(): boolean {
    if (this.#groups === 0) return true;
    return this.#gathered.every((unit) => !(unit instanceof CommandGroup) || unit.ended);
  }

  /** Ends a batch before the tick has ended; `send` sends what can be sent. The rest waits for the end of the tick. */
  sendEarly(send: () => void): void {
    const before = this.length;
    this.#end(Number.POSITIVE_INFINITY);
    send();
    this.sentEarly += Math.max(0, before - this.length); // `send` may have added some
    this.#limit = this.batches.length > 0 ? Number.POSITIVE_INFINITY : LARGE_BATCH;
  }

  /** To be called when so many replies came together, and so many commands are still in flight on their lane. */
  answered(replies: number, inFlight: number): void {
    // Their callers ask for the next ones together: from now on one half is at the server, and the other one here.
    if (inFlight === 0 && replies >= 2 * SMALL_BATCH) this.#limit = Math.min(LARGE_BATCH, replies >> 1);
  }

  /** Ends the batch at the end of the tick. */
  endBatch(now: number): void {
    this.#end(now);
    for (const batch of this.batches) batch.at = Math.min(batch.at, now);
    this.sentEarly = 0;
    this.#limit = LARGE_BATCH;
  }

  #end(at: number): void {
    let units = this.#gathered;
    if (units.length === 0) return;
    if (this.#groups > 0) units = units.filter((unit) => this.#belongs(unit));
    if (units.length > 0) {
      // Less those of earlier batches, and those held.
      let commands = this.length - this.held.commands;
      let bytes = this.bytes - this.held.bytes;
      for (const batch of this.batches) {
        commands -= batch.commands;
        bytes -= batch.bytes;
      }
      this.batches.push({ units, at, sent: 0, commands, bytes });
    }
    this.#gathered = [];
    this.#groups = 0;
  }

  /** Puts commands whose connection was lost before all others. */
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

  /** Counts commands as held; with negative numbers no longer. */
  hold(commands: number, bytes: number): void {
    this.held.commands += commands;
    this.held.bytes += bytes;
    this.length += commands;
    this.bytes += bytes;
  }

  /** To be called when `batch` is sent up to unit `sent`. */
  sent(batch: Batch, sent: number): void {
    if (sent === batch.units.length) {
      this.#drop(batch);
      return;
    }
    for (let i = batch.sent; i < sent; i++) this.take(batch, batch.units[i] as QueueEntry);
    batch.sent = sent;
  }

  /** Subtracts a unit of `batch` from the counts. */
  take(batch: Batch, unit: QueueEntry): void {
    const commands = commandsOf(unit);
    const bytes = weightOf(unit);
    batch.commands -= commands;
    batch.bytes -= bytes;
    this.length -= commands;
    this.bytes -= bytes;
    if (unit instanceof CommandGroup && unit.needsDedicated) this.dedicatedGroups--;
  }

  /** Sets the remaining units of `batch`, after others were taken. */
  leave(batch: Batch, units: readonly QueueEntry[]): void {
    batch.units = units;
    batch.sent = 0;
    if (units.length === 0) this.#drop(batch);
  }

  /** Rejects the batches that came at `moment` or before. */
  reject(moment: number, error: Error): void {
    const all = this.batches.filter(({ at }) => at <= moment);
    for (const batch of all) {
      const units = batch.units.slice(batch.sent);
      this.#drop(batch);
      for (const unit of units) {
        if (!(unit instanceof CommandGroup)) rejectSafely(unit, refusalOf(unit)?.error ?? another(error));
        else {
          if (unit.needsDedicated) this.dedicatedGroups--;
          unit.refuse(another(error));
        }
      }
    }
  }

  #drop(batch: Batch): void {
    this.length -= batch.commands;
    this.bytes -= batch.bytes;
    if (this.batches[0] === batch) this.batches.shift();
    else this.batches.splice(this.batches.indexOf(batch), 1);
  }

  /** Removes units that were refused within this tick. */
  #belongs(unit: QueueEntry): boolean {
    if (!(unit instanceof CommandGroup)) return true;
    if (!unit.refusal) {
      if (unit.needsDedicated) this.dedicatedGroups++;
      return true;
    }
    this.length -= unit.commands.length;
    this.bytes -= unit.bytes;
    return false;
  }
}

/** The number of commands of a unit. */
export function commandsOf(unit: QueueEntry): number {
  return unit instanceof CommandGroup ? unit.commands.length : 1;
}

/** The size of the arguments of a unit. Bytes. */
export function weightOf(unit: QueueEntry): number {
  return unit instanceof CommandGroup ? unit.bytes : bytesOf(unit);
}
