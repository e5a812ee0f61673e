import { invalidOption } from '../../api/errors.ts';
import { bytesOf, Failure, Pairs, type Reply } from './reply.ts';

/** What a command may be answered with. An `Error` rejects; an object is a map, as HGETALL's; a boolean is 1 or 0. */
export type Answer =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | Error
  | readonly Answer[]
  | { readonly [field: string]: Answer };

type Answered = Answer | undefined;

/**
 * Answers a command, of whose arguments it is given the text. What it throws, the command rejects with; with
 * `undefined` it leaves the command to the mock's own store.
 */
export type AnswerHandler = (...args: string[]) => Answered | PromiseLike<Answered>;

/** The answers that a test gives in place of the store, by the names of commands. */
export class Answers {
  readonly #always = new Map<string, Answer | AnswerHandler>();
  readonly #once = new Map<string, (Answer | AnswerHandler)[]>();

  set(name: string, answer: Answer | AnswerHandler): void {
    this.#always.set(keyOf('reply', name), answer);
  }

  addOnce(name: string, answer: Answer | AnswerHandler): void {
    const key = keyOf('replyOnce', name);
    this.#once.set(key, [...(this.#once.get(key) ?? []), answer]);
  }

  has(name: string): boolean {
    return this.#always.has(name) || this.#once.has(name);
  }

  /** The names of those that were to be given once, and have not been. */
  get unused(): string[] {
    return [...this.#once].flatMap(([name, answers]) => answers.map(() => name));
  }

  /** Answers command `name`; `undefined` leaves it to the store. */
  give(name: string, args: readonly string[]): Reply | undefined | Promise<Reply | undefined> {
    const answer = this.#take(name);
    if (typeof answer !== 'function') return toReply(answer);
    const given = answer(...args);
    const later = given as PromiseLike<Answered> | undefined;
    return typeof later?.then === 'function'
      ? Promise.resolve(later).then(toReply)
      : toReply(given as Answered);
  }

  #take(name: string): Answer | AnswerHandler | undefined {
    const [first, ...rest] = this.#once.get(name) ?? [];
    if (first === undefined) return this.#always.get(name);
    if (rest.length > 0) this.#once.set(name, rest);
    else this.#once.delete(name);
    return first;
  }
}

function keyOf(method: string, name: unknown): string {
  if (typeof name === 'string' && /^[\w.-]+$/.test(name)) return name.toLowerCase();
  throw invalidOption(`${method}() takes the name of a command, such as 'get', got ${String(name)}`);
}

/** An answer as the server says it. */
function toReply(answer: Answer | undefined): Reply | undefined {
  if (answer === undefined) return undefined;
  if (answer === null || typeof answer === 'bigint') return answer;
  if (typeof answer === 'string') return bytesOf(answer);
  if (typeof answer === 'boolean') return Number(answer);
  if (typeof answer === 'number') return Number.isInteger(answer) ? answer : String(answer);
  if (answer instanceof Uint8Array) return bytesOf(answer);
  if (answer instanceof Error) return toFailure(answer);
  if (Array.isArray(answer)) return answer.map((one: Answer) => toReply(one) ?? null);
  return new Pairs(Object.entries(answer).map(([name, value]) => [bytesOf(name), toReply(value) ?? null]));
}

/** The error reply that tells of `error`. It begins with a code in capitals, or with ERR. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new Failure(/^[A-Z][A-Z0-9_]*( |$)/.test(text) ? text : `ERR ${text}`);
}
