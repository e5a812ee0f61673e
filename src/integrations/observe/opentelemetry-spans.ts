import { SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import type { RedisPool } from '../../api/redis-pool.ts';
import { systemClock } from '../../util/clock.ts';
import { hearDurations } from './durations.ts';
import { listen } from './listen.ts';
import { POOL_NAME } from './opentelemetry-metrics.ts';

/**
 * Makes a span for each acquire that waited for `thresholdMs` or longer, as a child of the caller's span. Returns a
 * function that ends that.
 */
export function traceWaits(pool: RedisPool, tracer: Tracer, thresholdMs: number): () => void {
  if (thresholdMs === Number.POSITIVE_INFINITY) return () => {};
  const attributes = Object.freeze({ 'db.system.name': 'redis', [POOL_NAME]: pool.name });
  const begin = (waitedMs: number, more: Record<string, string> = {}) =>
    tracer.startSpan('db.client.connection.wait', {
      kind: SpanKind.INTERNAL,
      startTime: systemClock.now() - waitedMs, // small numbers are taken for performance.now(), not for a date
      attributes: { ...attributes, ...more },
    });
  const ends = [
    hearDurations(pool, {
      inCallersContext: true,
      acquire: (waitedMs) => {
        if (waitedMs >= thresholdMs) begin(waitedMs).end();
      },
    }),
    listen(pool, {
      timeout: ({ waitedMs }) => {
        if (waitedMs < thresholdMs) return;
        const code = 'POOL_ACQUIRE_TIMEOUT';
        const span = begin(waitedMs, { 'error.type': code });
        span.setStatus({ code: SpanStatusCode.ERROR, message: code });
        span.end();
      },
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}
