/** The right to have one connection. It is inert: holding one costs nothing and cannot fail. */
export type Permit = object;

/**
 * The seam to the engine that bounds. It hands out permits; a connection needs one from the start of its dial
 * until its socket is really closed. The pool asks only while there is spare capacity, so an engine need not
 * queue.
 */
export interface Permits {
  /** Permits that are out. */
  readonly size: number;
  /** Takes a permit. */
  acquire(): Promise<Permit>;
  /** Gives a permit back; its place is free at once. */
  giveBack(permit: Permit): void;
  /** Ends the engine, once all permits are back. */
  close(): Promise<void>;
}
