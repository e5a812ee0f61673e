/** As Node's callbacks are: an error, or else a result. */
export type NodeCallback<T = void> = (error?: unknown, result?: T) => void;

/**
 * Calls `callback`, if it is a function, once with the result of `work`: in a later tick, so that what it throws is not
 * taken for a failure of `work`. Anything but a function is ignored, as some callers pass such to ioredis. Returns
 * `work`.
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

/** Keeps a rejection of `work` that nobody handles from ending the process. Whoever awaits `work` still gets it. */
export function mayFailUnheard<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}
