import { expect, test } from 'vitest';
import { DEFAULTS } from '../../src/index.ts';
import { AT_THE_SERVER, ON_THE_WAY } from './faults.ts';
import { type Errors, type Fault, isMeasured, type Row, suffer } from './harness.ts';

/** What a timer may be late, beyond what the event loop is. Milliseconds. */
const SLACK_MS = 100;

// What is measured is not to be disturbed by others.
const each = isMeasured ? test : test.concurrent;

each.for([...AT_THE_SERVER, ...ON_THE_WAY])('$name: both doors ride it out', async (fault) => {
  const rows = await suffer(fault);
  expect(rows.some(fault.felt), 'the fault was there').toBe(true);
  expect(rows.flatMap((row) => complaints(fault, row))).toEqual([]);
});

/** Which bars were missed. */
function complaints(fault: Fault, row: Row): string[] {
  const { door, errors, beyondMs, dialsAfter, nextDialMs = 0, peak, left } = row;
  const strange = Object.keys(errors).filter((error) => {
    const [kind = '', code = ''] = error.split(' ');
    return !fault.errors?.[`${door} ${kind}` as keyof Errors]?.includes(code);
  });
  const nextDialAllowed = (fault.toldAtOnce ? 2000 : 500) + SLACK_MS;
  return Object.entries({
    [`errors: ${strange.map((error) => `${errors[error]} × ${error}`)}`]: strange.length > 0,
    [`a caller was ${beyondMs} ms beyond its deadline`]: beyondMs > SLACK_MS,
    [`${dialsAfter} dials in a second`]: dialsAfter > 10,
    [`the next dial came after ${nextDialMs} ms`]: nextDialMs > nextDialAllowed,
    [`${peak} connections`]: peak > DEFAULTS.maxActive,
    [`after close() ${left} things are left`]: left > 0,
  }).flatMap(([what, isSo]) => (isSo ? [`${door}: ${what}`] : []));
}
