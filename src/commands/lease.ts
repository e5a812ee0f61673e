import { type Command, Redis } from 'ioredis';
import { Taint, taintAfter } from '../core/taint.ts';
import type { PoolErrorCode } from '../errors.ts';
import type { PoolSlot } from '../house.ts';
import type { Lease } from '../redis-pool.ts';

/** What a lease needs of its pool. */
export interface LeaseOwner {
  /** The lease has ended. `taint` is what its commands left on the connection. Called once. */
  giveBack(slot: PoolSlot, taint: number, fate: 'keep' | 'destroy'): void;
  error(code: PoolErrorCode, message: string): Error;
}

type Stream = Parameters<Redis['sendCommand']>[1];

/**
 * A Redis to all who look, made without Redis' constructor: its commands are ioredis' own, and all of them end in
 * `sendCommand`, which reaches the connection while the lease lasts, and nothing afterwards.
 */
class LeaseHandle {
  readonly connectionId: number;
  readonly options: Redis['options'];
  #slot: PoolSlot | undefined;
  readonly #owner: LeaseOwner;
  #taint: number = Taint.none;

  constructor(slot: PoolSlot, client: Redis, owner: LeaseOwner) {
    this.connectionId = slot.id;
    this.options = client.options;
    this.#slot = slot;
    this.#owner = owner;
  }

  sendCommand(command: Command, stream?: Stream): unknown {
    const connection = this.#slot?.connection;
    if (connection === undefined) {
      return this.#refuse(command, 'POOL_LEASE_RELEASED', 'the lease was released: the command was not sent');
    }
    if (!connection.alive) {
      return this.#refuse(command, 'POOL_CONNECTION_LOST', 'connection lost: the command was not sent');
    }
    const name = command.name.toLowerCase();
    // ioredis itself knows stateful commands by their lower-case names only; SUBSCRIBE makes it throw.
    if (name !== command.name) command.name = name;
    this.#taint = taintAfter(this.#taint, name, command.args);
    return connection.client.sendCommand(command, stream);
  }

  release(): void {
    this.#end('keep');
  }

  destroy(): void {
    this.#end('destroy');
  }

  [Symbol.dispose](): void {
    this.#end('keep');
  }

  get status(): Redis['status'] {
    return this.#client?.status ?? 'end';
  }

  get stream(): Redis['stream'] | undefined {
    return this.#client?.stream;
  }

  /** What this lease has defined; ioredis' pipelines look for it. */
  get scriptsSet(): object {
    return this.#own('scriptsSet', {});
  }

  get addedBuiltinSet(): Set<string> {
    return this.#own('addedBuiltinSet', new Set<string>());
  }

  get #client(): Redis | undefined {
    return this.#slot?.connection?.client;
  }

  #own<T>(name: string, value: T): T {
    Object.defineProperty(this, name, { value });
    return value;
  }

  #end(fate: 'keep' | 'destroy'): void {
    const slot = this.#slot;
    if (slot === undefined) return;
    this.#slot = undefined;
    this.#owner.giveBack(slot, this.#taint, fate);
  }

  #refuse(command: Command, code: PoolErrorCode, message: string): unknown {
    command.reject(this.#owner.error(code, message));
    return command.promise;
  }
}

Object.setPrototypeOf(LeaseHandle.prototype, Redis.prototype);

/** Makes the lease over the connection of `slot`. */
export function createLease(slot: PoolSlot, client: Redis, owner: LeaseOwner): Lease {
  return new LeaseHandle(slot, client, owner) as unknown as Lease;
}
