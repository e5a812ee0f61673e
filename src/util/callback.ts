/** As Node's callbacks are: an error, or else a result. */
export type NodeCallback<T = void> = (error?: unknown, result?: T) => void;

/**
 * Has `callback`, if there is one, called with what comes of `work`: once, and outside of it, so that what it throws is
 * its own matter and not taken for a failure of the work. What is no function, as ioredis is given by some, is none.
 * Returns `work`.
 */
export function asCallback<T>(work: Promise<T>, callback: NodeCallback<never> | undefined): Promise<T> {
  if (typeof callback === 'function') {
    work.then(
      (result) => process.nextTick(callback as NodeCallback<T>, null, result),
      (error: unknown) => process.nextTick(callback, error),
    );
  }
  return work;
}

/** Lets nobody have to take what `work` rejects with: untaken, it would end the process. Who takes it has it. */
export function mayFailUnheard<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}
