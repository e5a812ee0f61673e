import { warnThrown } from '../util/warn.ts';

/** What Redis answers to a command that it did not run, and may run later, or elsewhere. */
const NOT_RUN = /^(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/;
/** EXEC tells it of one of its commands, or of itself. Redis before 7 tells it of a script in the midst of a text. */
const READ_ONLY = /^READONLY\b|^EXECABORT .*because of: READONLY\b|^ERR Error running script .*-READONLY\b/;
const ABORTED = /^EXECABORT\b/;
const ABORTED_FOR_NOW = /^EXECABORT .*because of: (?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/;

/** ioredis' option `reconnectOnError`, as users write it. */
export type ReconnectOnError = (error: Error) => unknown;

/** With 2, whoever uses the pool asks for the command to be sent again. */
const SEND_AGAIN = 2;
const asked = new WeakSet<Error>();

/** Whether Redis refused a write, since it is a replica. */
export function saysReadOnly({ message }: Error): boolean {
  return READ_ONLY.test(message);
}

/** Whether the command did not run that was answered with `error`, and may be sent again. */
export function didNotRun(error: Error): boolean {
  return NOT_RUN.test(error.message) || ABORTED_FOR_NOW.test(error.message) || asked.has(error);
}

/** Whether `error` is the answer to an EXEC of which nothing ran. */
export function isAborted({ message }: Error): boolean {
  return ABORTED.test(message);
}

/** Whether a user's `reconnectOnError` wants another connection; what it throws hurts nobody. */
export function wantsAnother(reconnectOnError: ReconnectOnError, error: Error): boolean {
  try {
    const verdict = reconnectOnError(error);
    if (verdict === SEND_AGAIN) asked.add(error);
    return Boolean(verdict);
  } catch (thrown) {
    warnThrown('option reconnectOnError threw', thrown);
    return false;
  }
}

/** Whether a user's `reconnectOnError` wants the command to be sent again that was answered with `error`. */
export function wantsAgain(error: Error): boolean {
  return asked.has(error);
}

/** Since when a command has been answered that it did not run, how often, and how it was said last. */
export interface Refusal {
  readonly since: number;
  readonly times: number;
  readonly error: Error;
}

/** What is sent again has no other mark, as it may be anybody's command. */
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
