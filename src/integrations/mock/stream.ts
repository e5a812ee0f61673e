/** A stream. */
export interface Stream {
  entries: unknown[];
}
