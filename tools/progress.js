const WIDTH = 30;

/** A bar on a terminal; elsewhere, as in a log, one line for each quarter. */
export class Progress {
  #all;
  #done = 0;

  /** @param {number} all */
  constructor(all) {
    this.#all = all;
  }

  /** @param {string} what was done */
  step(what) {
    this.#done++;
    const share = this.#done / this.#all;
    const percent = `${Math.round(share * 100)} %`.padStart(5);
    const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░');
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${bar} ${percent}  ${what}`);
    else if ((this.#done * 4) % this.#all < 4) console.log(`${percent}  ${what}`);
  }

  end() {
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
  }
}
