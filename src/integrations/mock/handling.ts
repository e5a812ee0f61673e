import { AsyncLocalStorage } from 'node:async_hooks';
import { oneTurn } from '../../util/clock.ts';
import { Failure } from './reply.ts';

const current = new AsyncLocalStorage<Handling>();

/** The handler in whose async context this is called; `undefined` outside of all handlers. */
export function callingHandler(): Handling | undefined {
  return current.getStore();
}

/** One call of a test's handler, which answers a command. Until it has, its connection runs no other command. */
export class Handling {
  #over = false;
  #fail: (error: Error) => void = () => {};

  constructor(readonly command: string) {}

  /** Calls `handler`. */
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
   * To be called when the handler asks for something that it cannot get before it has answered. If it waits for that,
   * and `stuck` still holds, its command gets an error that says so.
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
