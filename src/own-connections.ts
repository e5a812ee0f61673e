import type { Command } from 'ioredis';
import { handOver } from './commands/watched.ts';
import { another } from './errors.ts';
import type { Exchange } from './exchange.ts';
import type { House, PoolSlot } from './house.ts';
import type { Lending } from './lending.ts';
import { rejectSafely } from './redis/internals.ts';
import { type Request, Waiters } from './waiters.ts';

/**
 * Gives commands of `pool.redis` that may block a connection of their own for their time. There is always one
 * connection left for others, so that what they wait for can come to pass.
 */
export class OwnConnections {
  readonly #house: House;
  readonly #exchange: Exchange;
  readonly #lending: Lending;
  readonly #most: number;
  /** Those who wait until fewer are at it. */
  readonly #line: Waiters<undefined>;
  #busy = 0;

  constructor(house: House, exchange: Exchange, lending: Lending) {
    this.#house = house;
    this.#exchange = exchange;
    this.#lending = lending;
    this.#most = Math.max(1, house.options.maxActive - 1);
    this.#line = new Waiters(house.hands.clock, (waiter, why) => exchange.admission.gaveUp(waiter, why));
  }

  /** Sends `commands` together, over a connection that is theirs until all are answered. */
  send(commands: readonly Command[]): void {
    const failed = (error: unknown): void => {
      for (const command of commands) rejectSafely(command, another(error));
    };
    const { acquireTimeoutMs, maxWaiting, wait } = this.#house.options;
    if (this.#busy < this.#most) {
      this.#begin(commands, failed, acquireTimeoutMs);
    } else if (this.#line.length >= (wait ? maxWaiting : 0)) {
      const why = `${this.#most} connections run commands that may block, and ${this.#line.length} wait for one`;
      failed(this.#exchange.admission.exhausted(why));
    } else {
      const served = (_: undefined, waitedMs: number): void =>
        this.#begin(commands, failed, Math.max(0, acquireTimeoutMs - waitedMs));
      this.#line.enqueue(this.#line.admit({ served, failed }, acquireTimeoutMs, undefined), false);
    }
  }

  /** Refuses those who wait; the pool is closed. */
  stop(): void {
    this.#line.failAll(() => this.#exchange.admission.closed());
  }

  #begin(commands: readonly Command[], failed: (error: unknown) => void, timeoutMs: number): void {
    this.#busy++;
    const over = (error: unknown): void => {
      failed(error);
      this.#end();
    };
    const served: Request<PoolSlot>['served'] = (slot, waitedMs) => {
      const lease = this.#lending.lend(slot, waitedMs, undefined);
      let owed = commands.length;
      const end = (): void => {
        if (slot.lane !== holder) return;
        slot.lane = undefined;
        lease.release();
        this.#end();
      };
      // A command that somebody has changed may never settle; its connection comes back all the same.
      const holder = { lost: end };
      slot.lane = holder;
      const answered = (): void => void (--owed === 0 && end());
      for (const command of commands) {
        command.promise.then(answered, answered);
        try {
          handOver(command, lease);
        } catch (error) {
          command.reject(error as Error); // a client of the user's own class
        }
      }
    };
    try {
      this.#exchange.request({ timeoutMs }, { served, failed: over });
    } catch (error) {
      over(error);
    }
  }

  #end(): void {
    this.#busy--;
    const next = this.#line.first;
    if (next) this.#line.serve(next, undefined);
  }
}
