import { AsyncLocalStorage } from 'node:async_hooks';
import { oneTurn } from '../../util/clock.ts';
import { Failure } from './reply.ts';

const current = new AsyncLocalStorage<Handling>();

/** The handler that calls, as far as it goes on by itself; `undefined` outside of all handlers. */
export function callingHandler(): Handling | undefined {
  return current.getStore();
}

/** A handler of a test's, at work on the answer to one command. Until then, its connection does nothing else. */
export class Handling {
  #over = false;
  #fail: (error: Error) => void = () => {};

  constructor(readonly command: string) {}

  /** Has `handler` answer. */
  answer<T>(handler: () => T | Promise<T>): T | Promise<T> {
    let given: T | Promise<T> | undefined;
    try {
      given = current.run(this, handler);
    } finally {
      this.#over = !(given instanceof Promise);
    }
    return given instanceof Promise ? this.#settle(given) : given;
  }

  /**
   * It has asked for what cannot come before it has answered. It need not wait for that; if it does, though `stuck` still
   * holds, its command is answered with an error that says so.
   */
  async asksFor(what: string, stuck = (): boolean => true): Promise<void> {
    await oneTurn();
    if (this.#over || !stuck()) return;
    this.#fail(
      new Failure(
        `ERR the handler of reply('${this.command}') waits for ${what}, and that for the handler's own answer: ` +
          'let it use mock.use(), with a connection to spare, or return undefined to leave the command to the store',
      ),
    );
  }

  async #settle<T>(answer: Promise<T>): Promise<T> {
    const stuck = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    try {
      return await Promise.race([answer, stuck]);
    } finally {
      this.#over = true;
    }
  }
}
