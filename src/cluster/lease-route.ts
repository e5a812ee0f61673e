import { Command } from 'ioredis';
import type { Lease } from '../api/lease.ts';
import { ignore } from '../ioredis/watched-command.ts';
import { LeaseHandle, type LeaseRouter } from '../lease/lease.ts';
import { CommandGroup } from '../multiplex/command-group.ts';
import { type ClusterOwner, judge } from './judge.ts';
import type { Node } from './node.ts';

/** What is refused for now is sent again after so long. Milliseconds. */
const AGAIN_MS = 50;

/** A command of a lease. */
interface Sent {
  readonly command: Command;
  readonly since: number;
  tainted: boolean;
  /** It is between MULTI and EXEC, or one of these: it does nothing by itself. */
  framed: boolean;
  fail(error: unknown): void;
}

const SENT = Symbol('sent');

/**
 * Sees to what the node of a lease refuses. As long as nothing was done over the lease, it goes on over a connection to
 * the node that its key has moved to. Afterwards only what says of itself that it can be done elsewhere once, or later,
 * is; and not within a transaction, nor while keys are watched.
 */
export class LeaseRoute implements LeaseRouter {
  readonly #owner: ClusterOwner;
  readonly #lease: Lease;
  #node: Node;
  readonly #pending = new Set<Sent>();
  /** The node has done something. */
  #done = false;
  /** All that was sent, as long as nothing is done: a transaction goes elsewhere as a whole. */
  #sent: Sent[] = [];
  #inTransaction = false;
  /** What is at another node, in order. */
  #refused: { readonly sent: Sent; readonly error: unknown; readonly to: Node }[] = [];
  /** It is changing its node, and this is what is sent then. */
  #moving: Sent[] | undefined;

  constructor(owner: ClusterOwner, lease: Lease, node: Node) {
    this.#owner = owner;
    this.#lease = lease;
    this.#node = node;
    LeaseHandle.route(lease, this);
  }

  sending(command: Command, tainted: boolean): boolean {
    const sent = this.#sentOf(command);
    sent.tainted = tainted;
    const name = command.name.toLowerCase();
    sent.framed = this.#inTransaction || name === 'multi';
    this.#inTransaction = name === 'multi' || (this.#inTransaction && name !== 'exec' && name !== 'discard');
    if (this.#moving) {
      this.#moving.push(sent);
      return true;
    }
    this.#pending.add(sent);
    if (!this.#done) this.#sent.push(sent);
    return false;
  }

  #sentOf(command: Command): Sent {
    const noted = command as unknown as { [SENT]?: Sent };
    if (noted[SENT]) return noted[SENT];
    const { resolve, reject } = command;
    const sent: Sent = {
      ...{ command, since: this.#owner.clock.now(), tainted: false, framed: false },
      fail: (error) => reject.call(command, error as Error),
    };
    noted[SENT] = sent;
    command.resolve = (reply) => {
      // MULTI, and what it queues, does nothing.
      const queued = sent.framed && (command.name === 'multi' || String(reply) === 'QUEUED');
      if (!queued) this.#isDone();
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
    const [moved] = this.#refused;
    if (moved && !this.#done && sent.framed && (error as Error).message.startsWith('EXECABORT')) {
      this.#refused.push({ sent, error, to: moved.to });
      return true;
    }
    const verdict = judge(this.#owner, error, this.#node, false);
    if (verdict === undefined || clock.now() - sent.since >= options.acquireTimeoutMs) return false;
    if (verdict !== 'later' && !verdict.asking && verdict.to) {
      if (this.#done) return false;
      this.#refused.push({ sent, error, to: verdict.to });
    } else if (sent.tainted) {
      return false;
    } else if (verdict === 'later' || verdict.to === undefined) {
      clock.after(AGAIN_MS, () => void this.#send(sent));
    } else {
      ask(verdict.to, sent.command);
    }
    return true;
  }

  #settled(sent: Sent): void {
    this.#pending.delete(sent);
    if (this.#refused.length === 0 || this.#pending.size > 0) return;
    const refused = this.#refused.splice(0);
    if (this.#done) {
      for (const { sent: one, error } of refused) one.fail(error);
      return;
    }
    const again = new Set(refused.map((one) => one.sent));
    const all = this.#sent.splice(0).map((one) => (again.has(one) ? one : this.#copyOf(one)));
    void this.#move(all, (refused[0] as (typeof refused)[0]).to);
  }

  #isDone(): void {
    this.#done = true;
    this.#sent = [];
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
    this.#inTransaction = false;
    for (const sent of all) {
      if (failure) sent.fail(failure.error);
      else this.#send(sent);
    }
  }

  #send({ command }: Sent): void {
    ignore(this.#lease.sendCommand(command));
  }
}

/** Has `node` do what is only on its way to it. */
function ask(node: Node, command: Command): void {
  const asking = new Command('asking', []);
  ignore(asking.promise);
  const group = new CommandGroup({}, false);
  node.lanes.sendGroup(group);
  for (const one of [asking, command]) {
    group.add(one);
    node.lanes.added(group);
  }
}
