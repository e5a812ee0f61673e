import type { PoolStats } from '../api/stats.ts';
import type { Multiplexer } from '../multiplex/multiplexer.ts';
import type { Pool } from '../pool.ts';
import { type Address, nameOf } from './address.ts';

/** One node of the cluster, and the pool of connections to it, which is made when it is first needed. */
export class Node {
  readonly name: string;
  /** When another node said last that this one is to be asked. */
  askedAt = Number.NEGATIVE_INFINITY;
  /** Nothing has come from it for a while, though something waits for a reply; at the last look. */
  silent = false;
  readonly #make: () => Pool;
  #pool: Pool | undefined;
  #lanes: Multiplexer | undefined;

  constructor(
    readonly address: Address,
    make: (address: Address) => Pool,
  ) {
    this.name = nameOf(address);
    this.#make = () => make(address);
  }

  get pool(): Pool {
    this.#pool ??= this.#make();
    return this.#pool;
  }

  /** What its commands go over. */
  get lanes(): Multiplexer {
    this.#lanes ??= this.pool.backend.lanes;
    return this.#lanes;
  }

  /** Its pool, if it was needed. */
  get opened(): Pool | undefined {
    return this.#pool;
  }

  get stats(): PoolStats | undefined {
    return this.#pool?.stats();
  }

  /** Nobody can connect to it for now, for all that is known. */
  get unreachable(): boolean {
    return this.#pool?.backend.unreachable === true;
  }
}
