import { invalidOption } from '../../api/errors.ts';
import { bytesOf, Failure, Pairs, type Reply } from './reply.ts';

/** An answer to a command. An `Error` rejects it; an object is a map, as of HGETALL; a boolean is 1 or 0. */
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
 * Answers a command; is given its arguments as text. If it throws, the command rejects with that error; if it returns
 * `undefined`, the mock's own store answers.
 */
export type AnswerHandler = (...args: string[]) => Answered | PromiseLike<Answered>;

/** The answers of a test that replace those of the store, by the command's name. */
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

  /** The names of commands with an answer for one call that was not used. */
  get unused(): string[] {
    return [...this.#once].flatMap(([name, answers]) => answers.map(() => name));
  }

  /** Answers command `name`; `undefined` if the store is to answer. */
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

/** Converts an answer to a reply. */
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

/** The error reply for `error`. It begins with a code in capitals, or with ERR. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new Failure(/^[A-Z][A-Z0-9_]*( |$)/.test(text) ? text : `ERR ${text}`);
}
