/**
 * The array that `[...items]` makes, for those that are made with each command and live until its reply. When V8 has
 * once seen nearly all arrays of one literal outlive a collection, it allocates all further ones in the old generation,
 * where each keeps what it refers to, also the young, until the next full collection; which doubled the time of a
 * command in every second process. It keeps no such record of rest parameters, nor of what a constructor makes.
 */
export function arrayOf<T extends unknown[]>(...items: T): T {
  return items;
}
