const SIZE = 256;

/**
 * Collects numbers, and passes them on many at a time. Metrics libraries take several times as long for a single number
 * as for one of many in a row, when their code and data are in the processor's caches.
 */
export class Batch {
  readonly #values = new Float64Array(SIZE);
  readonly #handOn: (value: number) => void;
  #length = 0;

  constructor(handOn: (value: number) => void) {
    this.#handOn = handOn;
  }

  add(value: number): void {
    this.#values[this.#length++] = value;
    if (this.#length === SIZE) this.flush();
  }

  /** Passes on what was collected. */
  flush(): void {
    const length = this.#length;
    this.#length = 0;
    for (let i = 0; i < length; i++) this.#handOn(this.#values[i] as number);
  }
}
