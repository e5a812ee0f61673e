import { isPoolError } from '../../src/index.ts';

export type Kind = 'read' | 'write';

/** One call. Times in milliseconds. */
export interface Call {
  readonly kind: Kind;
  readonly at: number;
  /** When it was over; `undefined` while it is not. */
  endedAt?: number;
  /** By how much the event loop was late meanwhile. */
  lateMs: number;
  /** The code of its error, if it failed. */
  error?: string;
}

/** How often the event loop is looked at, and what is no delay of it. Milliseconds. */
const BEAT_MS = 20;
const CALM_MS = 2;

/** By how much the event loop was late, in all, since the start: so much of a caller's time was the machine's. */
export class Lateness {
  #ms = 0;
  #last = performance.now();
  readonly #timer = setInterval(() => {
    this.#ms = this.ms;
    this.#last = performance.now();
  }, BEAT_MS);

  get ms(): number {
    return this.#ms + Math.max(0, performance.now() - this.#last - BEAT_MS - CALM_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** Callers who come whether or not the last one was answered, so many a second: one who reads, one who writes, in turn. */
export class Callers {
  readonly calls: Call[] = [];
  readonly #pending = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #lateness: Lateness;

  constructor(perSecond: number, lateness: Lateness, call: (kind: Kind) => Promise<unknown>) {
    this.#lateness = lateness;
    const start = performance.now();
    let due = 0;
    this.#timer = setInterval(() => {
      const missing = Math.floor(((performance.now() - start) * perSecond) / 1000) - due;
      // Those whom a blocked loop held up do not come all in one burst.
      const now = Math.min(missing, Math.ceil(perSecond / 20));
      due += missing - now;
      for (let i = 0; i < now; i++) this.#call(due++ % 2 === 0 ? 'read' : 'write', call);
    }, 4);
  }

  /** How many of those who came since then succeeded, since the last who did not. */
  inARow(since: number): number {
    const over = this.calls.filter(({ at, endedAt }) => at > since && endedAt !== undefined);
    return over.length - 1 - over.findLastIndex(({ error }) => error !== undefined);
  }

  /** No more come; resolves when all are through, or `withinMs` is over. */
  async stop(withinMs = 10_000): Promise<void> {
    clearInterval(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    await Promise.race([over, Promise.all(this.#pending)]);
    clearTimeout(timer);
  }

  #call(kind: Kind, call: (kind: Kind) => Promise<unknown>): void {
    const before = this.#lateness.ms;
    const one: Call = { kind, at: performance.now(), lateMs: 0 };
    this.calls.push(one);
    const over = (): void => {
      one.endedAt = performance.now();
      one.lateMs = this.#lateness.ms - before;
    };
    const work = call(kind).then(over, (error: unknown) => {
      over();
      one.error = codeOf(error);
    });
    this.#pending.add(work);
    void work.then(() => this.#pending.delete(work));
  }
}

/** What a call took at most. */
export function longestMs(calls: readonly Call[]): number {
  return Math.max(...calls.map(tookMs));
}

export function tookMs({ at, endedAt = Number.POSITIVE_INFINITY }: Call): number {
  return endedAt - at;
}

/** The pool's code; of an error that Redis replied, its first word. */
function codeOf(error: unknown): string {
  if (isPoolError(error)) return error.code;
  return String(error instanceof Error && error.name === 'ReplyError' ? error.message.split(' ')[0] : error);
}
