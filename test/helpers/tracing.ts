import { context, type Span, type SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import * as ioredis from 'ioredis';
import { version } from 'ioredis/package.json';

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer('test');
/** Spans that were begun, ended or not. */
const begun = new Map<string, string>();

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

/** What a hook of the instrumentation was given as reply. */
export const replies: unknown[] = [];

/** OpenTelemetry's instrumentation of the ioredis that this project means, which its own loader would not find. */
const instrumentation = new IORedisInstrumentation({
  responseHook: (_span, _name, _args, reply) => void replies.push(reply),
});
instrumentation.setTracerProvider(provider);
type Definition = { patch(module: object, version: string): unknown; unpatch(module: object): unknown };
const [definition] = (instrumentation as unknown as { init(): Definition[] }).init();

export function instrument(): void {
  definition?.patch(ioredis, version);
}

export function uninstrument(): void {
  definition?.unpatch(ioredis);
}

/** Runs `work` as a request is run that is traced. */
export function inSpan<T>(name: string, work: () => T): T {
  const span: Span = tracer.startSpan(name);
  begun.set(span.spanContext().spanId, name);
  return context.with(trace.setSpan(context.active(), span), () => {
    try {
      return work();
    } finally {
      span.end();
    }
  });
}

export interface Told {
  readonly name: string;
  readonly parent: string | undefined;
  readonly kind: SpanKind;
  readonly attributes: object;
  readonly failed: boolean;
  readonly why: string | undefined;
}

/** The spans of commands since the last time, by those who wanted them. */
export function told(): Told[] {
  const spans = exporter.getFinishedSpans().filter((span) => !begun.has(span.spanContext().spanId));
  exporter.reset();
  return spans.map(plain).sort((a, b) => order(a) - order(b));
  function order(span: Told): number {
    return [...begun.values()].indexOf(span.parent ?? '');
  }
}

function plain({ name, kind, attributes, status, parentSpanContext }: ReadableSpan): Told {
  const parent = begun.get(parentSpanContext?.spanId ?? '');
  const failed = status.code === SpanStatusCode.ERROR;
  return { name, parent, kind, attributes, failed, why: status.message };
}

instrument();
