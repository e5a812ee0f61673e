import { Taint, taintAfter } from '../../ioredis/taint.ts';
import type { MockServer } from './server.ts';

/** Their arguments are passwords. */
const SECRET = new Set(['auth', 'hello']);

/**
 * Why a lease has cost connection `id`, which is being closed; `undefined` if that was only for subscriptions which the
 * lease has ended: nobody can subscribe without that cost.
 */
export function costOf({ commands, sessions }: MockServer, id: number): string | undefined {
  const sent = commands.filter(
    ({ lease, name, args }) => lease === id && taintAfter(Taint.none, name, args) & Taint.dirty,
  );
  const session = sessions.get(id);
  const ended = session !== undefined && session.channels.size + session.patterns.size === 0;
  if (ended && sent.length > 0 && sent.every(({ name }) => /^p?subscribe$/.test(name))) return undefined;
  const why = sent.map(({ name, args }) => (SECRET.has(name) ? name : [name, ...args].join(' '))).join(', ');
  return `connection ${id}: ${why || 'no command; its raw client was read, or the lease was dropped'}`;
}
