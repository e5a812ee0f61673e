import { type Address, readAddress } from './address.ts';
import { SLOTS } from './slot.ts';

/**
 * What the reply to a command says of where, or when, it could be done. A node that would tell a name, and knows none, says
 * a question mark: then the host is `guessed`, and that of the node that was asked.
 */
export type Refusal =
  /** The slot is at another node; at which, whoever told it may not know. */
  | {
      readonly kind: 'moved';
      readonly slot: number;
      readonly to: Address | undefined;
      readonly guessed: boolean;
    }
  /** This key is at another node already: that one is to be asked, this time. */
  | { readonly kind: 'ask'; readonly to: Address; readonly guessed: boolean }
  /** It cannot be done now. */
  | { readonly kind: 'later' };

/** What says that it will be possible after a while. */
const LATER = /^(TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|READONLY|UNBLOCKED)\b/;
const REDIRECTION = /^(MOVED|ASK) (\d{1,5}) (\S*):(\d{1,5})$/;

/** What is in the message of an error that a node replied with; `asked` is that node. Nothing, if it is none of these. */
export function readRefusal(message: string, asked: Address): Refusal | undefined {
  const found = REDIRECTION.exec(message);
  if (!found) return LATER.test(message) ? { kind: 'later' } : undefined;
  const slot = Number(found[2]);
  const to = readAddress(found[3], found[4], asked);
  if (slot >= SLOTS) return { kind: 'later' };
  const guessed = found[3] === '?';
  if (found[1] === 'MOVED') return { kind: 'moved', slot, to, guessed };
  return to ? { kind: 'ask', to, guessed } : { kind: 'later' };
}
