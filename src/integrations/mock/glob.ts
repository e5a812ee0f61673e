/** Makes a predicate from a pattern of KEYS, SCAN and PSUBSCRIBE: `*`, `?`, `[a-z]`, `[^a]`, and `\` to escape. */
export function glob(pattern: string): (text: string) => boolean {
  let source = '';
  for (let i = 0; i < pattern.length; i++) {
    const sign = pattern[i] ?? '';
    const end = sign === '[' ? pattern.indexOf(']', i + 1) : -1;
    if (sign === '*') source += '.*';
    else if (sign === '?') source += '.';
    else if (sign === '\\' && i + 1 < pattern.length) source += literal(pattern[++i] ?? '');
    else if (end > 0) {
      source += `[${pattern.slice(i + 1, end).replace(/[\\[]/g, '\\$&')}]`;
      i = end;
    } else source += literal(sign);
  }
  const test = new RegExp(`^${source}$`, 's');
  return (text) => test.test(text);
}

function literal(sign: string): string {
  return sign.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
}
