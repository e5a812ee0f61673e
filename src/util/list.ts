/** A possible member of a {@link List}. */
export interface Listed<T extends Listed<T>> {
  /** The list that it is in, if any, and its neighbours there. Written by the list only. */
  list: List<T> | undefined;
  before: T | undefined;
  after: T | undefined;
}

/**
 * A doubly linked list whose links are fields of its members, so that any member is removed in O(1) and adding one
 * allocates nothing. The pool keeps its wait queue in one (first in, first out) and its idle connections in another
 * (last in, first out).
 */
export class List<T extends Listed<T>> {
  /** The first, or `undefined`. */
  first: T | undefined;
  /** The last, or `undefined`. */
  last: T | undefined;
  length = 0;

  /** Adds `member` at the end. */
  push(member: T): void {
    this.insert(member, undefined);
  }

  /** Adds `member` before `next`; at the end, if there is none. */
  insert(member: T, next: T | undefined): void {
    if (member.list) throw new Error('bug: already in a list');
    const before = next ? next.before : this.last;
    member.list = this;
    member.before = before;
    member.after = next;
    if (before) before.after = member;
    else this.first = member;
    if (next) next.before = member;
    else this.last = member;
    this.length++;
  }

  /** The first member for which `test` holds. O(n). */
  find(test: (member: T) => boolean): T | undefined {
    let member = this.first;
    while (member && !test(member)) member = member.after;
    return member;
  }

  /** A copy: later changes of the list do not affect it. */
  members(): T[] {
    const all: T[] = [];
    for (let member = this.first; member; member = member.after) all.push(member);
    return all;
  }

  /** Removes `member`; returns `false` if it is not in this list. */
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
}
