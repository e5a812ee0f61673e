import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { Registry } from 'prom-client';
import { beforeAll, describe, expect, test } from 'vitest';
import { ClusterPool } from '../../../src/cluster/index.ts';
import { isPoolError } from '../../../src/index.ts';
import { collectPool } from '../../../src/integrations/observe/prometheus.ts';
import { FakeRedis } from '../../helpers/fake-redis.ts';
import { errorOf } from '../../helpers/outcomes.ts';

const docs = join(import.meta.dirname, '../../../docs');
const read = (name: string): string => readFileSync(join(docs, name), 'utf8');

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly description: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const dashboard = JSON.parse(read('grafana-dashboard.json')) as Dashboard;
const alerts = read('alerts.yml');
const rules = [...alerts.matchAll(/- alert: (\w+)\n\s+expr: (?:>-\n)?(.*?)\n\s+(?:for|labels):/gs)].map(
  ([, name = '', expr = '']) => ({ name, expr: expr.replace(/\s+/g, ' ').trim() }),
);
const expressions = [
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
  ...rules.map(({ name, expr }) => [name, expr] as const),
];

/** The series that are exported, each with its labels. */
const exported = new Map<string, Set<string>>();

beforeAll(async () => {
  const redis = new FakeRedis();
  const register = new Registry();
  const pool = redis.pool({ name: 'p' });
  const cluster = new ClusterPool({ nodes: ['redis://127.0.0.1:1'], name: 'c' }); // whose series have a node
  for (const one of [pool, cluster]) collectPool(one, { register });
  redis.dial = 'fails';
  expect(isPoolError(await errorOf(pool.acquire()), 'POOL_CONNECT_FAILED')).toBe(true);
  for (const [, name = '', labels = ''] of (await register.metrics()).matchAll(/^(\w+)\{(.*)\} /gm)) {
    const known = exported.get(name) ?? new Set();
    exported.set(name, known);
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
  }
  await Promise.all([pool.close(), cluster.close()]);
});

/** What a PromQL expression selects: names, with the labels it asks for; `wrong` where it cannot be read. */
function selected(expr: string): {
  names: string[];
  labels: [string, string][];
  grouped: string[];
  wrong: string[];
} {
  const text = expr.replaceAll('$__rate_interval', '5m');
  const found = {
    names: [] as string[],
    labels: [] as [string, string][],
    grouped: [] as string[],
    wrong: [] as string[],
  };
  let name = '';
  parser.parse(text).iterate({
    enter: ({ type, from, to, node }) => {
      const here = text.slice(from, to);
      if (type.isError) found.wrong.push(here);
      if (type.name === 'Identifier' && node.parent?.name === 'VectorSelector') {
        name = here;
        found.names.push(name);
      }
      if (type.name !== 'LabelName') return;
      if (node.parent?.name === 'UnquotedLabelMatcher') found.labels.push([name, here]);
      else found.grouped.push(here);
    },
  });
  return found;
}

test('there is a panel or a rule for everything that an operator asks', () => {
  expect(dashboard.panels.length).toBeGreaterThan(8);
  expect(rules.map(({ name }) => name)).toEqual(
    [...alerts.matchAll(/- alert: (\w+)/g)].map(([, name]) => name),
  );
  const all = rules.map(({ expr }) => expr).join('\n');
  for (const part of ['redis_pool_waiting', 'POOL_ACQUIRE_TIMEOUT', 'leaks_total', 'reason="broken"']) {
    expect(all).toContain(part);
  }
});

describe.each(expressions)('%s: %s', (_, expr) => {
  test('can be read as PromQL, and names only series and labels that are exported', () => {
    const { names, labels, grouped, wrong } = selected(expr);
    expect(wrong).toEqual([]);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect([...exported.keys()]).toContain(name);
    for (const [name, label] of labels) expect([...(exported.get(name) ?? [])], name).toContain(label);
    for (const label of grouped) {
      expect(
        names.some((name) => exported.get(name)?.has(label)),
        label,
      ).toBe(true);
    }
  });
});

test('codes and reasons that rules ask for are ones that the pool has', () => {
  const { errors, closed } = new FakeRedis().pool().stats();
  const asked = [...alerts.matchAll(/(code|reason)="(\w+)"/g)];
  expect(asked.length).toBeGreaterThan(3);
  for (const [, label, value] of asked) {
    expect(Object.keys(label === 'code' ? errors : closed)).toContain(value);
  }
});

test('every exported metric is on the dashboard', () => {
  const shown = new Set(expressions.flatMap(([, expr]) => selected(expr).names));
  const hidden = [...exported.keys()].filter((name) => !shown.has(name) && !/_(sum|count)$/.test(name));
  expect(hidden).toEqual([]);
});

test('what panels and variables point to exists, and panels do not lie on each other', () => {
  const variables = dashboard.templating.list.map(({ name }) => name);
  const used = [...read('grafana-dashboard.json').matchAll(/\$\{?(\w+)/g)].map(([, name]) => name);
  for (const name of used) expect([...variables, '__rate_interval', '__all']).toContain(name);
  for (const { definition = '' } of dashboard.templating.list) {
    const metric = /label_values\((\w+),/.exec(definition)?.[1];
    if (metric) expect([...exported.keys()]).toContain(metric);
  }
  const cells = new Set<string>();
  for (const { gridPos, title, description, targets } of dashboard.panels) {
    expect(description, title).toMatch(/\.$/);
    for (const { legendFormat } of targets) expect(legendFormat).toContain('{{pool}}');
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(cells, title).not.toContain(`${x}/${y}`);
        cells.add(`${x}/${y}`);
      }
    }
  }
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
});
