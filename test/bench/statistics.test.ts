import { describe, expect, test } from 'vitest';
import { overlap, quantile, settled, summary, winners } from '../../bench/lib/statistics.js';

describe('a middle half', () => {
  test('has the median within, and leaves out a quarter on either side', () => {
    expect(summary([9, 1, 8, 2, 7, 3, 6, 4, 5])).toEqual({ low: 3, median: 5, high: 7 });
  });

  test('of one value is that value', () => {
    expect(summary([4])).toEqual({ low: 4, median: 4, high: 4 });
  });

  test('is not moved by one window in which something else ran', () => {
    expect(summary([2, 2, 2, 2, 2, 2, 2, 2, 900])).toEqual({ low: 2, median: 2, high: 2 });
  });

  test('leaves the values in their order', () => {
    const values = [3, 1, 2];
    summary(values);
    expect(values).toEqual([3, 1, 2]);
  });

  test('of nothing is not a number', () => {
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('a contender is warm', () => {
  test.each([
    ['when three windows in a row are less than 5 % apart', [40, 12, 10, 10.2, 10.4], true],
    ['whatever came before them', [1000, 1, 10, 10, 10], true],
    ['not while there are fewer than three', [10, 10], false],
    ['not when the first of the three stands out', [10.6, 10, 10], false],
    ['not when the one in the middle stands out', [10, 9.4, 10], false],
    ['not when the last stands out', [10, 10, 10.6], false],
    ['not when each is near the one before, but they drift', [10, 10.4, 10.8], false],
    ['not when they are just 5 % apart', [100, 102, 105], false],
    ['not by windows further back', [10, 10, 10, 12], false],
    ['not by windows in which nothing was done', [Number.NaN, Number.NaN, Number.NaN], false],
    ['not by windows that took no end of time', [Infinity, Infinity, Infinity], false],
  ])('%s', (_, windows, warm) => {
    expect(settled(windows)).toBe(warm);
  });
});

const spread = (low: number, high: number) => ({ low, median: (low + high) / 2, high });

describe('spreads', () => {
  test.each([
    [spread(1, 2), spread(3, 4), false],
    [spread(1, 3), spread(2, 4), true],
    [spread(1, 4), spread(2, 3), true],
    [spread(1, 2), spread(2, 3), true],
  ])('%o and %o overlap: %s', (a, b, expected) => {
    expect(overlap(a, b)).toBe(expected);
    expect(overlap(b, a)).toBe(expected);
  });
});

describe('a winner', () => {
  test('is whose spread is apart from all others', () => {
    expect(winners({ a: spread(1, 2), b: spread(3, 4), c: spread(5, 9) })).toEqual(['a']);
  });

  test('is who has least, or most where that is better', () => {
    const rates = { a: spread(1, 2), b: spread(3, 4), c: spread(5, 9) };
    expect(winners(rates, { more: true })).toEqual(['c']);
  });

  test('is nobody where the best overlaps with another, were it at one point', () => {
    expect(winners({ a: spread(1, 3), b: spread(3, 4), c: spread(7, 9) })).toEqual([]);
  });

  test('is nobody where the best overlaps with one that is not the second', () => {
    expect(winners({ a: spread(1, 3), b: spread(4, 5), c: { low: 2, median: 6, high: 9 } })).toEqual([]);
  });

  test('is nobody without a rival', () => {
    expect(winners({ a: spread(1, 2) })).toEqual([]);
    expect(winners({ a: spread(1, 2), b: undefined })).toEqual([]);
    expect(winners({})).toEqual([]);
  });

  test('does not mind those who were not measured', () => {
    expect(winners({ a: undefined, b: spread(3, 4), c: spread(5, 9) })).toEqual(['b']);
  });

  describe('among builds of the same code, which are no rivals', () => {
    const familyOf = (name: string): string => name.replace(/, CommonJS$/, '');

    test('are both, if both are apart from all others', () => {
      const spreads = { a: spread(1, 3), 'a, CommonJS': spread(2, 4), b: spread(5, 6) };
      expect(winners(spreads, { familyOf })).toEqual(['a', 'a, CommonJS']);
    });

    test('is the better one, if the other overlaps with a rival', () => {
      const spreads = { 'a, CommonJS': spread(2, 6), a: spread(1, 3), b: spread(5, 7) };
      expect(winners(spreads, { familyOf })).toEqual(['a']);
    });

    test('is neither, if the better one overlaps with a rival', () => {
      const spreads = { a: { low: 1, median: 2, high: 6 }, 'a, CommonJS': spread(2, 4), b: spread(5, 7) };
      expect(winners(spreads, { familyOf })).toEqual([]);
    });

    test('is nobody when there is no one else', () => {
      expect(winners({ a: spread(1, 2), 'a, CommonJS': spread(3, 4) }, { familyOf })).toEqual([]);
    });
  });
});
