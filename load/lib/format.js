/** Numbers for people, the same in the terminal, in the report and in the docs. */

/** With a comma between thousands, whatever the locale. @param {number} n */
export const count = (n) => Math.round(n).toLocaleString('en-US');

/** With as many digits as tell something. @param {number} value */
export function short(value) {
  if (value >= 100) return count(value);
  return String(Number(value.toPrecision(2)));
}

/** @param {number} value */
export const ms = (value) => `${short(value)} ms`;

/** @param {number} value of 1 */
export const percent = (value) => (value > 0 && value < 0.001 ? '< 0.1 %' : `${short(value * 100)} %`);

/** @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** A URL, or what was meant as one, without user and password. @param {string} text */
export const bare = (text) => text.replace(/\/\/.*@/, '//');

/** Of a pool of a cluster. @param {string} [node] */
export const atNode = (node) => (node === undefined ? '' : ` at ${node}`);
