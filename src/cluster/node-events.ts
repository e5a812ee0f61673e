import type { TimedEvent } from '../api/durations.ts';
import type { PoolEventName } from '../api/events.ts';
import type { PoolStats } from '../api/stats.ts';
import { type Detail, Events } from '../core/events.ts';

/** What a whole pool tells of itself. */
const OF_ALL: ReadonlySet<PoolEventName> = new Set(['clear', 'drain']);

/** Counts what happens at one node, and tells those who listen to the whole cluster. */
export class NodeEvents extends Events {
  readonly #cluster: Events;
  readonly #node: string;
  readonly #failed: () => void;

  /** `failed` is told when a dial has failed. */
  constructor(cluster: Events, node: string, stats: () => PoolStats, failed: () => void) {
    super({ name: cluster.pool, hooks: {} }, stats);
    this.#cluster = cluster;
    this.#node = node;
    this.#failed = failed;
  }

  override get label(): string {
    return `${this.pool} ${this.#node}`;
  }

  override get contextWanted(): boolean {
    return this.#cluster.contextWanted;
  }

  override count(event: PoolEventName): boolean {
    super.count(event);
    if (event === 'connectError') this.#failed();
    return this.heard(event);
  }

  override heard(event: PoolEventName): boolean {
    return !OF_ALL.has(event) && this.#cluster.heard(event);
  }

  override took(event: TimedEvent, ms: number): void {
    this.#cluster.took(event, ms);
  }

  override emit<E extends PoolEventName>(event: E, detail: Detail<E>): void {
    if (!OF_ALL.has(event)) this.#cluster.emit(event, { ...detail, node: this.#node });
  }
}
