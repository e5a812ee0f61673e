import { warnThrown } from '../util/warn.ts';

/** Error replies to commands that Redis did not run. It may run them later, or another server may. */
const NOT_RUN = /^(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/;
/** As an error of its own, in the reply to EXEC, and in that to a script, which differs before Redis 7. */
const READ_ONLY = /^READONLY\b|^EXECABORT .*because of: READONLY\b|^ERR Error running script .*-READONLY\b/;
const ABORTED = /^EXECABORT\b/;
const ABORTED_FOR_NOW = /^EXECABORT .*because of: (?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/;

/** ioredis' option `reconnectOnError`, as users write it. */
export type ReconnectOnError = (error: Error) => unknown;

/** ioredis sends the command again if `reconnectOnError` returns this. */
const SEND_AGAIN = 2;
const asked = new WeakSet<Error>();

/** Whether Redis refused a write because it is a replica. */
export function saysReadOnly({ message }: Error): boolean {
  return READ_ONLY.test(message);
}

/** Whether a command with this error reply may be sent again: it did not run, or the user wants that. */
export function didNotRun(error: Error): boolean {
  return NOT_RUN.test(error.message) || ABORTED_FOR_NOW.test(error.message) || asked.has(error);
}

/** Whether this is the reply to EXEC if nothing of the transaction ran. */
export function isAborted({ message }: Error): boolean {
  return ABORTED.test(message);
}

/** Whether a user's `reconnectOnError` returns a truthy value. If it throws, that is a process warning. */
export function wantsAnother(reconnectOnError: ReconnectOnError, error: Error): boolean {
  try {
    const verdict = reconnectOnError(error);
    if (verdict === SEND_AGAIN) asked.add(error);
    if (!(verdict instanceof Promise)) return Boolean(verdict);
    verdict.catch(() => {});
    return false; // to ioredis, too, a promise means nothing
  } catch (thrown) {
    warnThrown('option reconnectOnError threw', thrown);
    return false;
  }
}

/** Whether a user's `reconnectOnError` returned 2 for this error. */
export function wantsAgain(error: Error): boolean {
  return asked.has(error);
}

/** When a command was refused for the first time, how often since, and the last error reply. */
export interface Refusal {
  readonly since: number;
  readonly times: number;
  readonly error: Error;
}

const refusals = new WeakMap<object, Refusal>();

export function refusalOf(command: object): Refusal | undefined {
  return refusals.get(command);
}

export function noteRefusal(command: object, error: Error, now: number): Refusal {
  const before = refusals.get(command);
  const refusal = { since: before?.since ?? now, times: (before?.times ?? 0) + 1, error };
  refusals.set(command, refusal);
  return refusal;
}
