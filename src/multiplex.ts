import type { Command } from 'ioredis';
import type { Group } from './commands/group.ts';
import type { SharedOwner, SharedView } from './commands/shared-owner.ts';
import type { PoolErrorCode } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { type House, poolError } from './house.ts';
import type { Lanes } from './lanes.ts';
import type { OwnConnections } from './own-connections.ts';

/** How often a connection is asked for that nobody but listeners waits for. */
const WARM_AGAIN_MS = 1000;

/** What stands behind `pool.redis` and its duplicates: where their commands go, and what they hear. */
export class Multiplex implements SharedOwner {
  readonly #house: House;
  readonly #exchange: Exchange;
  readonly #lanes: Lanes;
  readonly #own: OwnConnections;
  readonly #close: (graceMs?: number) => Promise<void>;
  readonly #views = new Set<SharedView>();
  #warming = false;

  constructor(
    house: House,
    parts: { exchange: Exchange; lanes: Lanes; own: OwnConnections },
    close: (graceMs?: number) => Promise<void>,
  ) {
    this.#house = house;
    this.#exchange = parts.exchange;
    this.#lanes = parts.lanes;
    this.#own = parts.own;
    this.#close = close;
  }

  get single(): boolean {
    return this.#house.options.maxActive === 1;
  }

  get status(): 'ready' | 'connecting' | 'end' {
    return this.#exchange.status;
  }

  send(command: Command): void {
    this.#lanes.send(command);
  }

  sendAlone(command: Command): void {
    this.#own.send([command]);
  }

  sendGroup(group: Group): void {
    this.#lanes.sendGroup(group);
  }

  added(group: Group): void {
    this.#lanes.added(group);
  }

  error(code: PoolErrorCode, message: string): Error {
    return poolError(this.#house, code, message);
  }

  ready(): Promise<void> {
    return this.#exchange.ready();
  }

  warm(): void {
    if (this.#warming || this.status === 'end') return;
    this.#warming = true;
    this.#exchange.ready().then(
      () => {
        this.#warming = false;
        this.#tell((view) => view.connected());
      },
      () =>
        this.#house.hands.clock.after(
          WARM_AGAIN_MS,
          () => {
            this.#warming = false;
            this.warm();
          },
          'background',
        ),
    );
  }

  async quit(): Promise<void> {
    await this.#lanes.quiet();
    await this.#close();
  }

  disconnect(): void {
    void this.#close(0);
  }

  attach(view: SharedView): void {
    if (this.#views.size === 0) this.#listen();
    this.#views.add(view);
  }

  detach(view: SharedView): void {
    this.#views.delete(view);
  }

  /** Not before there is a view that has come to be: what its options hold may throw. */
  #listen(): void {
    const { events } = this.#house;
    events.add('connect', () => this.#tell((view) => view.connected()));
    events.add('connectError', ({ error }) => this.#tell((view) => view.failed(error)));
    events.add('drain', () => this.#tell((view) => view.ended()));
  }

  #tell(what: (view: SharedView) => void): void {
    for (const view of [...this.#views]) what(view);
  }
}
