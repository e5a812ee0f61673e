import { Command } from 'ioredis';
import { isPoolError } from '../api/errors.ts';
import type { Lease } from '../api/lease.ts';
import { isReadOnly, kindOf } from '../ioredis/command-kinds.ts';
import { isAborted } from '../ioredis/error-replies.ts';
import { ignore } from '../ioredis/watched-command.ts';
import { LeaseHandle, type LeaseRouter } from '../lease/lease.ts';
import { sendTogether } from '../multiplex/command-group.ts';
import { type ClusterOwner, judge, type Verdict } from './judge.ts';
import type { Node } from './node.ts';
import { readRefusal } from './redirection.ts';

/** A command of a lease. */
interface Sent {
  readonly command: Command;
  /** When it was refused first. */
  refusedAt: number | undefined;
  /** What was before it has left something on the connection. */
  tainted: boolean;
  /** The transaction that it belongs to: by itself it does nothing. */
  block: Block | undefined;
  /** Where it was sent last. */
  at: Node;
  /** Its caller waits. */
  open: boolean;
  fail(error: unknown): void;
  /** It is no lease's command any more. */
  letGo(): void;
}

/** A transaction. */
interface Block {
  readonly all: Sent[];
  /** It neither depends on what was left on the connection, nor leaves anything there. */
  clean: boolean;
  /** Its EXEC is sent, so that what becomes of it is known without its caller. */
  whole: boolean;
  /** What of it was refused, and is not told until its EXEC is answered. */
  refused: { readonly sent: Sent; readonly error: unknown; readonly verdict: Verdict }[];
}

const SENT = Symbol('sent');

/** Where to send what a lease cannot. */
const ELSEWHERE = 'over pool.redis, or over a lease with a key of its own';

/**
 * Sees to what the node of a lease refuses. As long as nothing was done over the lease, it goes on over a connection to
 * the node that its key has moved to. Afterwards only what says of itself that it can be done elsewhere once, or later,
 * is: a command, or a transaction as a whole; and not while keys are watched.
 */
export class LeaseRoute implements LeaseRouter {
  readonly #owner: ClusterOwner;
  readonly #lease: Lease;
  #node: Node;
  /** That of the key it was acquired with. */
  readonly #slot: number;
  /** The slot of another key, if it went to where that is before it had done anything. */
  #strayedTo: number | undefined;
  readonly #pending = new Set<Sent>();
  /** The node has done something. */
  #done = false;
  /** All that was sent, in order, as long as nothing is done: all of it goes elsewhere together. */
  readonly #sent = new Set<Sent>();
  /** The transaction that is open. */
  #block: Block | undefined;
  /** What is at another node, in order. */
  #refused: { readonly sent: Sent; readonly error: unknown; readonly to: Node }[] = [];
  /** Its connection is lost: whether all that was under way only reads. */
  #onlyReads: boolean | undefined;
  /** It is changing its node, and this is what is sent then. */
  #moving: Sent[] | undefined;

  constructor(owner: ClusterOwner, lease: Lease, node: Node, slot: number) {
    this.#owner = owner;
    this.#lease = lease;
    this.#node = node;
    this.#slot = slot;
    LeaseHandle.route(lease, this);
  }

  sending(command: Command, tainted: boolean): boolean {
    const sent = this.#sentOf(command);
    const name = command.name.toLowerCase();
    if (name === 'multi') this.#block ??= { all: [], clean: !tainted, whole: false, refused: [] };
    Object.assign(sent, { tainted, block: this.#block, at: this.#node });
    this.#block?.all.push(sent);
    if (this.#block && isStateful(sent)) this.#block.clean = false;
    if (name === 'exec' || name === 'discard') {
      if (this.#block) this.#block.whole = name === 'exec';
      this.#block = undefined;
    }
    if (this.#moving) {
      this.#moving.push(sent);
      return true;
    }
    this.#pending.add(sent);
    this.#sent.delete(sent); // it may have been sent before
    if (!this.#done) this.#sent.add(sent);
    return false;
  }

  #sentOf(command: Command): Sent {
    const noted = command as unknown as { [SENT]?: Sent };
    if (noted[SENT]) return noted[SENT];
    const { resolve, reject } = command;
    const sent: Sent = {
      ...{ command, refusedAt: undefined, tainted: false, block: undefined },
      ...{ at: this.#node, open: true },
      fail: (error) => {
        sent.open = false;
        reject.call(command, this.#explained(error, sent.at) as Error);
      },
      letGo: () => {
        Object.assign(command, { resolve, reject });
        this.#pending.delete(sent);
        this.#sent.delete(sent);
      },
    };
    noted[SENT] = sent;
    command.resolve = (reply) => {
      // MULTI, and what it queues, does nothing.
      const queued = sent.block && (command.name === 'multi' || String(reply) === 'QUEUED');
      if (!queued) this.#isDone();
      sent.open = false;
      resolve.call(command, reply);
      this.#settled(sent);
    };
    command.reject = (error) => {
      if (!this.#takes(sent, error)) {
        this.#isDone();
        sent.fail(error);
      }
      this.#settled(sent);
    };
    return sent;
  }

  /** Whether it sees to it that a command is done that was refused. */
  #takes(sent: Sent, error: unknown): boolean {
    const { clock, options } = this.#owner;
    const { block } = sent;
    const [moved] = this.#refused;
    const aborted = block !== undefined && isAborted(error as Error);
    if (aborted && moved && !this.#done) {
      this.#refused.push({ sent, error, to: moved.to });
      return true;
    }
    const [why] = aborted ? block.refused : [];
    const lost = isPoolError(error, 'POOL_CONNECTION_LOST');
    const verdict = aborted
      ? why?.verdict
      : judge(this.#owner, error, sent.at, lost && this.#mayRunTwice(sent));
    if (verdict === undefined) return false;
    const whole = block?.clean && block.whole;
    if (whole && sent !== block.all.at(-1)) {
      block.refused.push({ sent, error, verdict });
      return true;
    }
    const now = clock.now();
    sent.refusedAt ??= now;
    if (now - sent.refusedAt >= options.acquireTimeoutMs) {
      sent.fail(this.#owner.late(why ? why.error : error));
      return true;
    }
    if (whole) return this.#takesWhole(block, sent, error, verdict);
    const to = verdict === 'later' ? undefined : verdict.to;
    if (verdict !== 'later' && !verdict.asking && to) {
      if (this.#done) return false;
      this.#refused.push({ sent, error, to });
    } else if (sent.tainted || (to && isStateful(sent))) {
      return false;
    } else if (to === undefined) {
      this.#sendLater([sent]);
    } else {
      ask(to, [sent]);
    }
    return true;
  }

  /** What was lost with its connection only reads, and so does all that was under way with it. */
  #mayRunTwice({ command, tainted, at }: Sent): boolean {
    const reads = (one: Command): boolean => isReadOnly(one.name, one.args);
    if (tainted || !reads(command)) return false;
    if (at !== this.#node) return true; // it was at another node by itself
    this.#onlyReads ??= [...this.#pending].every((one) => reads(one.command));
    return this.#onlyReads;
  }

  /** The same for a transaction of which nothing was done; `exec` is its end. */
  #takesWhole(block: Block, exec: Sent, error: unknown, verdict: Verdict): boolean {
    const to = verdict === 'later' ? undefined : verdict.to;
    if (verdict !== 'later' && !verdict.asking && to) {
      if (this.#done) return false;
      for (const one of block.refused.splice(0)) this.#refused.push({ ...one, to });
      this.#refused.push({ sent: exec, error, to });
      return true;
    }
    block.refused = [];
    for (const one of block.all) this.#sent.delete(one);
    const again: Block = { all: [], clean: true, whole: true, refused: [] };
    for (const one of block.all) again.all.push(one.open ? one : this.#copyOf(one));
    for (const one of again.all) one.block = again;
    if (to === undefined) this.#sendLater(again.all);
    else ask(to, again.all);
    return true;
  }

  #settled(sent: Sent): void {
    this.#pending.delete(sent);
    if (sent === sent.block?.all.at(-1)) {
      for (const one of sent.block.refused.splice(0)) one.sent.fail(one.error);
    }
    if (this.#refused.length === 0 || this.#pending.size > 0) return;
    const refused = this.#refused.splice(0);
    if (this.#done) {
      for (const { sent: one, error } of refused) one.fail(error);
      return;
    }
    const all = [...this.#sent].map((one) => (one.open ? one : this.#copyOf(one)));
    this.#sent.clear();
    const { error, to } = refused[0] as (typeof refused)[0];
    const slot = slotMoved(error as Error, this.#node);
    this.#strayedTo = slot === this.#slot ? undefined : slot;
    void this.#move(all, to);
  }

  /**
   * What the caller hears: after Redis' own words, as which others read them, what they mean for a lease. It names slots
   * and no keys, since a key may be a secret, as that of a session is.
   */
  #explained(error: unknown, at: Node): unknown {
    if (!(error instanceof Error) || error.name !== 'ReplyError') return error;
    const slot = slotMoved(error, at);
    if (slot !== undefined) return withNote(error, this.#whyMoved(slot));
    if (!error.message.startsWith('CROSSSLOT')) return error;
    return withNote(
      error,
      `a lease sends nothing in parts, and this one is for slot ${this.#slot}, of the key it was acquired with: give keys a common {hash tag}, or send those of other slots ${ELSEWHERE}`,
    );
  }

  #whyMoved(slot: number): string {
    if (slot !== this.#slot) {
      return `the lease is for slot ${this.#slot}, of the key it was acquired with, and slot ${slot} is at another node: send this ${ELSEWHERE}`;
    }
    if (this.#strayedTo === undefined) {
      return 'the slot of the key that the lease was acquired with has moved there since: repeat use(), or acquire another lease';
    }
    return `the lease was acquired with a key in slot ${slot}, but went to the node of slot ${this.#strayedTo} with its first command: send this ${ELSEWHERE}`;
  }

  #isDone(): void {
    this.#done = true;
    this.#sent.clear();
  }

  /** What was answered already, as MULTI, once more; nobody waits for it. */
  #copyOf({ command: { name, args } }: Sent): Sent {
    const command = new Command(name, args as string[]);
    ignore(command.promise);
    return this.#sentOf(command);
  }

  async #move(refused: Sent[], to: Node): Promise<void> {
    this.#moving = refused;
    let failure: { readonly error: unknown } | undefined;
    try {
      LeaseHandle.exchange(this.#lease, await to.pool.acquire());
      this.#node = to;
    } catch (error) {
      failure = { error };
    }
    const all = this.#moving;
    this.#moving = undefined;
    this.#block = undefined;
    if (failure && judge(this.#owner, failure.error, undefined, false)) {
      const since = Math.min(...all.map(({ refusedAt = Number.POSITIVE_INFINITY }) => refusedAt));
      if (this.#owner.clock.now() - since < this.#owner.options.acquireTimeoutMs) {
        this.#sendLater(all); // its node knows by then who else has the key
        return;
      }
      failure = { error: this.#owner.late(failure.error) };
    }
    for (const sent of all) {
      if (failure) sent.fail(failure.error);
      else ignore(this.#lease.sendCommand(sent.command));
    }
  }

  /** Over the lease, as long as that has its connection. */
  #sendLater(all: readonly Sent[]): void {
    this.#owner.pause(() => {
      const commands = all.map(({ command }) => command);
      const free = this.#lease.stream?.writable && !this.#block;
      if (free || all.some(isStateful)) {
        for (const command of commands) ignore(this.#lease.sendCommand(command));
        return;
      }
      for (const sent of all) sent.letGo();
      this.#owner.send(commands);
    });
  }
}

/** Whether it is of use on this connection alone, be it lost. */
function isStateful({ command: { name, args }, block }: Sent): boolean {
  const frames = block !== undefined && /^(multi|exec|discard)$/i.test(name);
  return !frames && kindOf(name, args) === 'stateful';
}

/** Has `node` do what is only on its way to it. */
function ask(node: Node, all: readonly Sent[]): void {
  const asking = new Command('asking', []);
  ignore(asking.promise);
  for (const sent of all) sent.at = node;
  sendTogether(node.lanes, [asking, ...all.map(({ command }) => command)]);
}

/** The slot that `at` says is at another node. */
function slotMoved({ message }: Error, at: Node): number | undefined {
  const refusal = readRefusal(message, at.address);
  return refusal?.kind === 'moved' ? refusal.slot : undefined;
}

/** The same error, whose message ends with `note`. */
function withNote(error: Error, note: string): Error {
  const { message, stack } = error;
  error.message = `${message} (${note})`;
  if (stack) error.stack = stack.replace(message, () => error.message);
  return error;
}
