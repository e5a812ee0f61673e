import { type MeterProvider, metrics, type TracerProvider, trace } from '@opentelemetry/api';
import { invalidOption } from '../../api/errors.ts';
import type { RedisPool } from '../../api/redis-pool.ts';
import { checkKeys } from '../../api/spelling.ts';
import { listen } from './listen.ts';
import { measure } from './opentelemetry-metrics.ts';
import { traceWaits } from './opentelemetry-spans.ts';

/** Options of `instrumentPool()`. */
export interface InstrumentOptions {
  /** Makes the meter. Default: the global provider, which has to be set before `instrumentPool()` is called. */
  readonly meterProvider?: MeterProvider | undefined;
  /** Makes the tracer. Default: the global provider. */
  readonly tracerProvider?: TracerProvider | undefined;
  /**
   * An acquire that waits for this long or longer gets a span. Milliseconds, from 0. Default: `Infinity` (no spans).
   */
  readonly spanThresholdMs?: number | undefined;
}

const NAME = 'bounded-redis-pool';

/**
 * Reports `pool` to OpenTelemetry, by the names of its semantic conventions for database client connection pools; the
 * pool's name is the attribute `db.client.connection.pool.name`. Returns a function that ends that; `close()` of the
 * pool ends it too.
 *
 * @throws {PoolError} `POOL_INVALID_OPTION`
 * @example
 * import { instrumentPool } from 'bounded-redis-pool/opentelemetry';
 *
 * const stop = instrumentPool(pool, { spanThresholdMs: 50 });
 * stop();
 */
export function instrumentPool(pool: RedisPool, options: InstrumentOptions = {}): () => void {
  checkKeys('option', options, ['meterProvider', 'tracerProvider', 'spanThresholdMs']);
  const {
    meterProvider = metrics,
    tracerProvider = trace,
    spanThresholdMs = Number.POSITIVE_INFINITY,
  } = options;
  if (typeof spanThresholdMs !== 'number' || !(spanThresholdMs >= 0)) {
    throw invalidOption(
      `option spanThresholdMs must be milliseconds from 0, or Infinity, got ${String(spanThresholdMs)}`,
    );
  }
  const ends = [
    measure(pool, meterProvider.getMeter(NAME)),
    traceWaits(pool, tracerProvider.getTracer(NAME), spanThresholdMs),
    listen(pool, { drain: () => stop() }),
  ];
  const stop = (): void => {
    for (const end of ends) end();
  };
  return stop;
}
