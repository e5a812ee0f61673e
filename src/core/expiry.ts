import type { CloseReason } from '../api/stats.ts';
import type { Slot } from './slot.ts';

/** Why a connection that becomes idle has to go, whatever its condition. */
export function whyExpired(slot: Slot<unknown>, now: number): CloseReason | undefined {
  if (slot.stale) return 'cleared';
  return now >= slot.expiresAt ? 'lifetime' : undefined;
}

/**
 * Why an idle connection has to go. `idleCount` counts it too: of the last `minIdle` none goes for its idle time,
 * or they would be closed and dialled again for ever.
 */
export function whyClose(
  slot: Slot<unknown>,
  idleCount: number,
  now: number,
  limits: { readonly idleTimeoutMs: number; readonly minIdle: number },
): CloseReason | undefined {
  const expired = whyExpired(slot, now);
  if (expired) return expired;
  return idleCount > limits.minIdle && now - slot.since > limits.idleTimeoutMs ? 'idle' : undefined;
}
