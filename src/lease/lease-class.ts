import { Redis } from 'ioredis';
import type { Lease } from '../api/lease.ts';
import type { PoolSlot } from '../core/context.ts';
import { LeaseHandle, type LeaseOwner } from './lease.ts';

type LeaseClass = new (slot: PoolSlot, options: Redis['options'], owner: LeaseOwner) => LeaseHandle;

/**
 * The class of leases over clients like `client`: with the methods of its own class, if that is a subclass of
 * Redis, and with the commands defined on it, by option `scripts` or in `onConnect`.
 */
function leaseClassFor(client: Redis): LeaseClass {
  const scripts = Object.keys(client.scriptsSet);
  const added = [...client.addedBuiltinSet];
  const proto = Object.getPrototypeOf(client) as object;
  if (proto === Redis.prototype && scripts.length + added.length === 0) return LeaseHandle;
  class OwnLease extends LeaseHandle {}
  const own = Object.getOwnPropertyNames(LeaseHandle.prototype);
  for (let at = proto; at !== Redis.prototype && at !== null; at = Object.getPrototypeOf(at)) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (!own.includes(name) && !Object.hasOwn(OwnLease.prototype, name)) {
        Object.defineProperty(OwnLease.prototype, name, property);
      }
    }
  }
  for (const name of [...scripts, ...added].flatMap((one) => [one, `${one}Buffer`])) {
    Object.defineProperty(OwnLease.prototype, name, { value: Reflect.get(client, name), writable: true });
  }
  Object.defineProperty(OwnLease.prototype, 'constructor', { value: client.constructor });
  return OwnLease;
}

/** Makes leases over the connections of one pool, which are made alike: `client` is the first of them. */
export function leaseMaker(client: Redis, owner: LeaseOwner): (slot: PoolSlot) => Lease {
  const Class = leaseClassFor(client);
  // A copy, and frozen: what a borrower changed there would reach the next one.
  const options = Object.freeze({ ...client.options });
  return (slot) => new Class(slot, options, owner) as unknown as Lease;
}
