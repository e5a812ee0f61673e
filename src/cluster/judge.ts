import type { Command } from 'ioredis';
import type { PoolErrorCode } from '../api/error-codes.ts';
import { isPoolError, type PoolError } from '../api/errors.ts';
import type { ResolvedOptions } from '../api/options.ts';
import type { Events } from '../core/events.ts';
import { isTransient } from '../core/transient.ts';
import type { ClientOwner } from '../multiplex/client-backend.ts';
import type { Clock } from '../util/clock.ts';
import type { Address } from './address.ts';
import type { Node } from './node.ts';
import type { Nodes } from './nodes.ts';
import { readRefusal } from './redirection.ts';

/** What of the whole pool is needed. */
export interface ClusterOwner {
  readonly options: ResolvedOptions;
  readonly replicas: 'never' | 'prefer' | 'only';
  readonly clock: Clock;
  readonly events: Events;
  readonly nodes: Nodes;
  /** Finds out who serves what; `first` knows best. */
  refresh(first?: Address): void;
  make(code: PoolErrorCode, message: string, cause?: unknown): PoolError;
  /** The pool is closed. */
  closed(): PoolError;
  /** No node that is known has the key. */
  nowhere(): PoolError;
  /** What a caller hears who has waited for `timeoutMs` in vain; `reason` is the last one. */
  late(reason: unknown, timeoutMs?: number): unknown;
  /** Where the node at `address` is reached from here. */
  translated(address: Address): Address;
  readonly leases: ClientOwner['leases'];
  /** Sends what belongs together as `cluster.redis` does. */
  send(commands: readonly Command[]): void;
  /** Calls `run` in a moment, when what was refused for now may be possible; at once, if the pool is closed. */
  pause(run: () => void): void;
  ready(): Promise<void>;
  /** Resolves when no command waits or is under way. */
  quiet(): Promise<void>;
  close(graceMs?: number): Promise<void>;
}

/** Of several nodes, none is the one that a reply without a host means. */
const NOWHERE: Address = { host: '', port: 0 };

/** To wait; or to send it to another node, the present owner where it is not named, which may have to be asked. */
export type Verdict = 'later' | { readonly to: Node | undefined; readonly asking: boolean };

/** Where the node at `told` is reached, if anybody knows. What a NAT map throws is told when all nodes are asked for. */
function reached(owner: ClusterOwner, told: Address | undefined): Address | undefined {
  try {
    return told && owner.translated(told);
  } catch {
    return undefined;
  }
}

/**
 * What there is to do about an error of a command that was sent to `node`; nothing, if it is what the caller is told. On
 * the way it has the topology refreshed, if that seems to have changed.
 */
export function judge(
  owner: ClusterOwner,
  error: unknown,
  node: Node | undefined,
  readOnly: boolean,
): Verdict | undefined {
  if (isPoolError(error)) {
    if (error.code === 'POOL_CLOSED') return { to: undefined, asking: false }; // that node left
    const lost = error.code === 'POOL_CONNECTION_LOST';
    if (!lost && error.code !== 'POOL_CONNECT_FAILED') return undefined;
    owner.refresh();
    if (lost) return readOnly ? 'later' : undefined;
    return owner.options.outageWaitMs > 0 && isTransient(error.cause) ? 'later' : undefined;
  }
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined;
  const refusal = readRefusal(error.message, node?.address ?? NOWHERE);
  if (refusal === undefined) return undefined;
  if (refusal.kind === 'later') {
    if (!error.message.startsWith('TRYAGAIN')) owner.refresh();
    return 'later';
  }
  if (node === undefined) return undefined; // a command for all is at none in particular
  const { nodes } = owner;
  const unsure = refusal.guessed && nodes.masters.some((one) => one.address.host !== node.address.host);
  const address = unsure ? undefined : reached(owner, refusal.to);
  if (refusal.kind === 'ask') {
    const to = address && nodes.asked(address);
    return to ? { to, asking: true } : 'later';
  }
  // A replica that says so has another master than is known.
  if (!address || nodes.moved(refusal.slot, address) || !nodes.masters.includes(node)) owner.refresh(address);
  const to = nodes.slots[refusal.slot];
  if (to === undefined) return 'later';
  if (to !== node) return { to, asking: false };
  if (address) node.pool.clear(); // it knows better, and these connections lead somewhere else
  return 'later';
}
