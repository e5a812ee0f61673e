/**
 * Writes etc/api.txt: the public types as they are published (dist/*.d.ts), without comments. A change of it in a commit
 * is a change of the public surface. `npm run docs` writes it; test/package/api-report.test.ts compares it.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
export const REPORT = join(root, 'etc/api.txt');

/** The exports of each entry, and every declaration once, in the order of their names. */
export function apiReport() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const entries = Object.entries(exports).flatMap(([path, one]) =>
    one.import ? [[path, one.import.types]] : [],
  );
  const printer = ts.createPrinter({ removeComments: true });
  const declarations = new Map();
  for (const name of readdirSync(dist).filter((file) => file.endsWith('.d.ts'))) {
    const file = parse(join(dist, name));
    for (const node of file.statements) {
      if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) continue;
      const declared = ts.isVariableStatement(node) ? node.declarationList.declarations[0] : node;
      const text = printer.printNode(ts.EmitHint.Unspecified, node, file).replace(/^export |declare /g, '');
      const key = declared.name?.getText(file) ?? '';
      declarations.set(key, [...new Set([...(declarations.get(key) ?? []), text])]);
    }
  }
  const heads = entries.map(
    ([path, types]) => `${path.replace('.', 'bounded-redis-pool')}: ${exportsOf(join(root, types))}`,
  );
  const bodies = [...declarations].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, texts]) => texts);
  return `${[...heads, ...bodies].join('\n\n')}\n`;
}

const parse = (path) => ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);

/** The names that a module exports, with `type` before those that are types alone. */
function exportsOf(path) {
  const names = parse(path).statements.flatMap((node) => {
    if (!ts.isExportDeclaration(node)) return [];
    return node.exportClause.elements.map(({ name }) => name.text);
  });
  return names.sort().join(', ');
}

if (process.argv[1] === import.meta.filename) writeFileSync(REPORT, apiReport());
