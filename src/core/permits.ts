/** The right to have one connection. It is inert: holding one costs nothing and cannot fail. */
export type Permit = object;

/**
 * A second count of connections, independent of the slots, which bound them. A connection has a permit from the start of
 * its dial until its socket is really closed. One is asked for only while there is spare capacity.
 */
export interface Permits {
  /** Permits that are out. */
  readonly size: number;
  /** Takes a permit. */
  acquire(): Promise<Permit>;
  /** Gives a permit back; its place is free at once. */
  giveBack(permit: Permit): void;
  /** Ends it, once all permits are back. */
  close(): Promise<void>;
}
