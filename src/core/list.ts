/** What can stand in a {@link List}. */
export interface Listed<T extends Listed<T>> {
  /** The list it stands in, if any, and its neighbours there. Kept by the list alone. */
  list: List<T> | undefined;
  before: T | undefined;
  after: T | undefined;
}

/**
 * A doubly linked list whose links lie in its members, so that any member leaves in O(1) and joining allocates
 * nothing. The pool keeps its waiters in one (first in, first out) and its idle connections in another (last in,
 * first out).
 */
export class List<T extends Listed<T>> {
  /** The first, or `undefined`. */
  first: T | undefined;
  /** The last, or `undefined`. */
  last: T | undefined;
  length = 0;

  /** Adds `member` at the end. */
  push(member: T): void {
    this.#join(member);
    member.before = this.last;
    if (this.last) this.last.after = member;
    else this.first = member;
    this.last = member;
  }

  /** Adds `member` at the front. */
  unshift(member: T): void {
    this.#join(member);
    member.after = this.first;
    if (this.first) this.first.before = member;
    else this.last = member;
    this.first = member;
  }

  /** Takes `member` out; does nothing if it does not stand in this list. */
  remove(member: T): boolean {
    if (member.list !== this) return false;
    const before = member.before;
    const after = member.after;
    if (before) before.after = after;
    else this.first = after;
    if (after) after.before = before;
    else this.last = before;
    member.list = undefined;
    member.before = undefined;
    member.after = undefined;
    this.length--;
    return true;
  }

  #join(member: T): void {
    if (member.list) throw new Error('bug: already in a list');
    member.list = this;
    this.length++;
  }
}
