import type { AcquireOptions } from '../api/redis-pool.ts';
import { checkKeys } from '../api/spelling.ts';
import { checkTime } from '../api/validate.ts';
import { checkSignal } from './abort-signals.ts';

/** Reads the options of an acquire once; throws `POOL_INVALID_OPTION`. */
export function readAcquireOptions(options: AcquireOptions = {}): AcquireOptions {
  checkKeys('option', options, ['signal', 'timeoutMs', 'key']);
  const { signal, timeoutMs } = options;
  if (timeoutMs !== undefined) checkTime('timeoutMs', timeoutMs);
  if (signal !== undefined) checkSignal(signal);
  return { signal, timeoutMs };
}
