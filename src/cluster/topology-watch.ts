import { Command } from 'ioredis';
import type { PoolStats } from '../api/stats.ts';
import { outside } from '../ioredis/connection.ts';
import { inOurOwnWords } from '../ioredis/redact.ts';
import type { Pool } from '../pool.ts';
import { type Clock, within } from '../util/clock.ts';
import { type Address, nameOf } from './address.ts';
import type { Nodes } from './nodes.ts';
import { RefreshPace } from './refresh-pace.ts';
import { SLOTS } from './slot.ts';
import { isBetter, readTopology, type Topology } from './topology-reply.ts';

/**
 * The longest pause while nothing better is learned: between questions over connections that are there, or are dialled
 * as their pools' back-off permits; and between those that each cost a dial. Milliseconds.
 */
const LONGEST_MS = 500;
const LONGEST_OF_DIALS_MS = 2000;
/** How long one may take to answer, its dial included. */
const ANSWER_MS = 500;
/** How often nodes that are known are asked though nothing has happened; how often it is looked whether something has. */
const PERIOD_MS = 10_000;
const LOOK_MS = 1000;

export interface TopologyWatchOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly nodes: Nodes;
  readonly seeds: readonly Address[];
  /** Makes a pool for one question. */
  readonly ask: (address: Address) => Pool;
  readonly translated: (address: Address) => Address;
  /** No node has told anything of use. */
  readonly failed: (error: unknown) => void;
}

/** Finds out which nodes there are, over the connections of their pools, whenever there is a reason to. */
export class TopologyWatch {
  readonly #options: TopologyWatchOptions;
  readonly #pace = new RefreshPace(LONGEST_MS);
  readonly #dialPace = new RefreshPace(LONGEST_OF_DIALS_MS);
  #asking = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #cancelAsk: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  /** Who knows best. */
  #first: Address | undefined;
  /** Pools that were made for one question. */
  readonly #brief = new Set<Pool>();
  /** Which of the nodes is asked first: each in its turn. */
  #turn = 0;
  #stopped = false;

  constructor(options: TopologyWatchOptions) {
    this.#options = options;
  }

  /**
   * Asks now, or as soon as it may; once for all who want it meanwhile. `first` is asked first: it has become known that
   * it serves something, so that this need not wait for as long.
   */
  refresh(first?: Address): void {
    this.#first = first ?? this.#first;
    this.#plan(first && 'news');
  }

  #plan(news?: 'news'): void {
    if (this.#stopped || this.#asking || (this.#cancelAsk && !news)) return;
    this.#cancelAsk?.();
    this.#cancelAsk = undefined;
    const { clock, nodes } = this.#options;
    // Who has never heard of any node is told the real cause, soon.
    const wait = this.#pace.remaining(clock.now(), nodes.topology === undefined ? 'news' : news);
    if (wait <= 0) {
      outside(() => void this.#ask());
      return;
    }
    this.#cancelAsk = clock.after(wait, () => {
      this.#cancelAsk = undefined;
      outside(() => void this.#ask());
    });
  }

  /** The numbers of pools that are there for one question. */
  get brief(): PoolStats[] {
    return [...this.#brief].map((pool) => pool.stats());
  }

  /** Lets go of time; resolves when nothing is left of what it has opened. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelAsk?.();
    this.#cancelLook?.();
    await Promise.all([...this.#brief].map((pool) => pool.close({ graceMs: 0 })));
  }

  async #ask(): Promise<void> {
    const { clock, nodes, random, failed } = this.#options;
    this.#asking = true;
    const mayDial = nodes.topology === undefined || this.#dialPace.remaining(clock.now()) <= 0;
    let dialled = false;
    let best: Topology | undefined;
    let error: unknown;
    for (const [address, isNews] of this.#candidates()) {
      const isDial = nodes.named(nameOf(address)) === undefined;
      if (isDial && !mayDial && !isNews) continue;
      dialled ||= isDial;
      try {
        const found = await this.#topologyOf(address);
        if (this.#stopped) return;
        if (isBetter(found, best)) best = found;
        if (found.ok && found.covered === SLOTS && found.epoch >= (nodes.topology?.epoch ?? 0)) break;
      } catch (reason) {
        error = reason;
        if (this.#stopped) return;
      }
    }
    this.#asking = false;
    this.#askedAt = clock.now();
    const better = best !== undefined && best.covered > 0 && isBetter(best, nodes.topology);
    for (const pace of dialled || better ? [this.#pace, this.#dialPace] : [this.#pace]) {
      pace.asked(better, this.#askedAt, random());
    }
    if (!best || best.covered === 0)
      failed(error ?? inOurOwnWords(new Error('no node knows of any that serves a slot')));
    else if (nodes.apply(best)) this.#plan('news');
    this.#scheduleCheck();
  }

  /** What is news; masters in turn, those first that can be reached; then replicas; then the seeds. */
  #candidates(): [address: Address, isNews: boolean][] {
    const { nodes, seeds } = this.#options;
    const { masters } = nodes;
    this.#turn++;
    const inTurn = masters.map(
      (_, i) => masters[(i + this.#turn) % masters.length] as (typeof masters)[number],
    );
    const rank = (one: (typeof masters)[number]): number => (one.unreachable ? 2 : one.opened ? 0 : 1);
    inTurn.sort((a, b) => rank(a) - rank(b));
    const replicas = [...(nodes.topology?.masters.values() ?? [])].flatMap((shard) => shard.replicas);
    const first = this.#first ? [this.#first] : [];
    this.#first = undefined;
    const all = [...first, ...inTurn.map(({ address }) => address), ...replicas, ...seeds];
    const each = new Map(all.map((address) => [nameOf(address), address]));
    return [...each.values()].map((address, i) => [address, i < first.length]);
  }

  async #topologyOf(address: Address): Promise<Topology> {
    const { clock, nodes, ask, translated } = this.#options;
    const known = nodes.named(nameOf(address));
    const pool = known?.pool ?? ask(address);
    if (!known) this.#brief.add(pool);
    try {
      const send = (what: string): Promise<unknown> => {
        const command = new Command('cluster', [what], { replyEncoding: 'utf8' });
        pool.backend.lanes.send(command);
        return command.promise;
      };
      const told = Promise.all([send('SLOTS'), send('INFO').catch(unlessRefused)]);
      let replies: unknown[] = [];
      await within(
        clock,
        ANSWER_MS,
        told.then((both) => {
          replies = both;
        }),
        undefined,
        () => inOurOwnWords(new Error(`no answer within ${ANSWER_MS} ms`)),
      );
      return readTopology(replies[0], String(replies[1]), address, translated);
    } finally {
      if (!known) {
        await pool.close({ graceMs: 0 }); // before others are opened to the same server
        this.#brief.delete(pool);
        nodes.gone(pool.stats());
      }
    }
  }

  /** In a while: whether somebody waits in vain, or it is time to ask again. */
  #scheduleCheck(): void {
    if (this.#stopped || this.#cancelLook) return; // who asks often would put it off for ever
    const { clock, nodes } = this.#options;
    this.#cancelLook = clock.after(
      LOOK_MS,
      () => {
        this.#cancelLook = undefined;
        const now = clock.now();
        let silent = false;
        for (const node of nodes.all) {
          const { silentSince = now, waitingSince = now } = node.opened?.backend ?? {};
          node.silent = now - silentSince >= LOOK_MS;
          silent ||= node.silent || now - waitingSince >= LOOK_MS;
        }
        const period = nodes.topology === undefined ? LONGEST_OF_DIALS_MS : PERIOD_MS;
        if (silent || nodes.isOneOverdue(now) || now - this.#askedAt >= period) this.refresh();
        this.#scheduleCheck();
      },
      'background',
    );
  }
}

/** A user, or a proxy, that knows CLUSTER SLOTS alone: what that tells is believed. */
function unlessRefused(error: Error): string {
  if (error.name !== 'ReplyError') throw error;
  return 'cluster_state:ok';
}
