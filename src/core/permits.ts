/** The right to have one connection. It is inert: holding one costs nothing and cannot fail. */
export type Permit = object;

/**
 * A second count of connections, independent of the slots, which bound them. A connection has a permit from the start
 * of its dial until its socket is really closed. One is asked for only while there is spare capacity.
 */
export interface Permits {
  /** The number of permits taken and not given back. */
  readonly size: number;
  /** Takes a permit. */
  acquire(): Promise<Permit>;
  /** Gives a permit back; it can be taken again at once. */
  giveBack(permit: Permit): void;
  /** Ends the permits, when all are given back. */
  close(): Promise<void>;
}
