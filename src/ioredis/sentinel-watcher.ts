import { lookup } from 'node:dns/promises';
import type { ClientOptions } from '../api/options.ts';
import type { FailoverOwner, FailoverWatch, Fate, Whereabouts } from '../core/dependencies.ts';
import type { Clock } from '../util/clock.ts';
import { SentinelLink } from './sentinel-link.ts';
import { type Address, canonical, nameOf, natMapped, type SentinelOrder } from './sentinels.ts';

/** So often it asks, though it has heard nothing: a sentinel that is mute is found out by this. */
const ASK_EVERY_MS = 2000;

/** So soon it asks again while the sentinel has just lost sight of all replicas but the one in use. */
const ASK_SOON_MS = 500;

/** For so long after a change what was dialled meanwhile may have been sent to the old place by another sentinel. */
const UNSETTLED_MS = 15_000;

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5000;

/** What a sentinel has said: the addresses of servers. */
interface Told {
  /** Connections belong there. */
  readonly right: readonly Address[];
  /** They hang there, for all it knows. */
  readonly down: readonly Address[];
  /** It does not know yet what to say of those. */
  readonly unsure: readonly Address[];
}

interface World {
  readonly clock: Clock;
  random(): number;
  /** Runs what belongs to no caller. */
  outside<T>(work: () => T): T;
}

/**
 * Looks out for failovers at one sentinel at a time: asks it where Redis is, and hears from it when that may have
 * changed. If it dies, or is mute, it is the next one's turn.
 */
export class SentinelWatcher implements FailoverWatch {
  readonly #options: ClientOptions;
  readonly #order: SentinelOrder;
  readonly #owner: FailoverOwner;
  readonly #world: World;
  #link: SentinelLink | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** Ends a wait between two sentinels. */
  #wake: () => void = () => {};
  /** What was right when it was asked last, and since when. */
  #known: string | undefined;
  #changedAt = Number.NEGATIVE_INFINITY;
  /** The sentinel has more to say in a moment. */
  #unsure = false;

  constructor(options: ClientOptions, order: SentinelOrder, owner: FailoverOwner, world: World) {
    this.#options = options;
    this.#order = order;
    this.#owner = owner;
    this.#world = world;
  }

  get sockets(): number {
    return this.#link ? 1 : 0;
  }

  start(): void {
    if (this.#stopped) return;
    this.#running ??= this.#world
      .outside(() => this.#run())
      .finally(() => {
        this.#running = undefined;
      });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    void this.#link?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let failures = 0; this.#isWanted(); failures++) {
      const sentinel = this.#order.first;
      if (!sentinel) return;
      try {
        const link = new SentinelLink(sentinel, this.#options, this.#channels, this.#world.clock);
        this.#link = link;
        for (;;) {
          await this.#ask(link);
          failures = 0;
          await link.news(this.#unsure ? ASK_SOON_MS : ASK_EVERY_MS);
          if (!this.#isWanted()) return;
        }
      } catch {
        this.#order.failed(sentinel); // a dial tells why
      } finally {
        await this.#link?.close();
        this.#link = undefined;
      }
      await this.#pause(Math.min(FIRST_DELAY_MS * 2 ** failures, LONGEST_DELAY_MS));
    }
  }

  /** How long an answer may take. */
  get #limitMs(): number {
    return this.#options.sentinelCommandTimeout || LONGEST_DELAY_MS;
  }

  get #channels(): readonly string[] {
    // Who leads a failover names the new master as soon as that is promoted, and tells of the switch only at the end.
    const channels = ['+switch-master', '+promoted-slave'];
    return this.#options.role === 'slave' ? [...channels, '+sdown'] : channels;
  }

  /** Asks, and tells the pool what that means for its connections. */
  async #ask(link: SentinelLink): Promise<void> {
    const { name = '', role } = this.#options;
    const question = role === 'slave' ? 'slaves' : 'get-master-addr-by-name';
    const told = toldBy(await link.ask(['sentinel', question, name], this.#limitMs), this.#options);
    this.#unsure = told.unsure.length > 0;
    if (told.right.length === 0) return; // there is nowhere to go
    const known = [told.right, told.down].map((some) => some.map(nameOf).sort().join(' ')).join(' - ');
    const changed = known !== this.#known;
    const now = this.#world.clock.now();
    if (!changed && now - this.#changedAt > UNSETTLED_MS) return;
    const [right, down, unsure] = await Promise.all(
      [told.right, told.down, told.unsure].map((some) => this.#placesOf(some)),
    );
    if (!right || !down || !unsure) return; // nobody knows their addresses
    this.#known = known;
    if (changed) this.#changedAt = now;
    const whereabouts = whereaboutsOf(
      { right, down, unsure },
      role === 'slave',
      nameOf(told.right[0] as Address),
    );
    this.#owner.moved({ ...whereabouts, changed });
  }

  /** How servers may be named; `undefined` if it cannot be found out for one. */
  async #placesOf(addresses: readonly Address[]): Promise<ReadonlySet<string> | undefined> {
    const all = new Set<string>();
    for (const { host, port } of addresses) {
      all.add(nameOf({ host, port }));
      let cancel = (): void => {};
      const late = new Promise<undefined>((resolve) => {
        cancel = this.#world.clock.after(this.#limitMs, () => resolve(undefined), 'background');
      });
      const found = await Promise.race([lookup(host, { all: true }).catch(() => undefined), late]).finally(
        cancel,
      );
      if (!found) return undefined;
      for (const { address } of found) all.add(nameOf({ host: canonical(address), port }));
    }
    return all;
  }

  #isWanted(): boolean {
    return !this.#stopped && this.#owner.isWanted();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#world.clock.after(ms * (1 - this.#world.random() / 2), resolve, 'background');
      this.#wake = () => {
        cancel();
        resolve();
      };
      if (this.#stopped) this.#wake();
    });
  }
}

/** Reads a reply to the question of the role; throws what a sentinel says that is of no help. */
function toldBy(reply: unknown, { role, natMap, name }: ClientOptions): Told {
  if (reply instanceof Error) throw reply;
  if (!Array.isArray(reply)) throw new Error(`it knows no master ${name}`);
  const there = (host: unknown, port: unknown): Address =>
    natMapped({ host: String(host), port: Number(port) }, natMap);
  if (role !== 'slave') return { right: [there(reply[0], reply[1])], down: [], unsure: [] };
  const told = { right: [] as Address[], down: [] as Address[], unsure: [] as Address[] };
  for (const fields of reply as unknown[][]) {
    const at = (field: string): unknown =>
      fields[fields.findIndex((one, i) => i % 2 === 0 && one === field) + 1];
    const flags = String(at('flags'));
    const kind = /[so]_down/.test(flags) ? 'down' : flags.includes('disconnected') ? 'unsure' : 'right';
    told[kind].push(there(at('ip'), at('port')));
  }
  return told;
}

/** What follows for connections: a master that is none any more has nothing to say, a replica goes when it is idle. */
function whereaboutsOf(
  { right, down, unsure }: Record<keyof Told, ReadonlySet<string>>,
  ofReplicas: boolean,
  name: string,
): Omit<Whereabouts, 'changed'> {
  const cause = ofReplicas
    ? 'a sentinel says that this replica is down'
    : `Redis has moved: a sentinel names ${name} as the master`;
  const fateOf = (places: readonly string[]): Fate => {
    const isIn = (some: ReadonlySet<string>): boolean => places.some((place) => some.has(place));
    if (places.length === 0 || isIn(right) || isIn(unsure)) return 'keep';
    return !ofReplicas || isIn(down) ? 'cut' : 'stale';
  };
  return { fateOf, cause: new Error(cause) };
}
