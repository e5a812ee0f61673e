/**
 * Writes docs/api.md out of the comments in src: every export of every entry, with its members, signatures, defaults,
 * errors and examples. `npm run docs` calls it; test/api-docs.test.ts compares what is committed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');
export const API_DOCS = join(root, 'docs/api.md');

const INTRO = `# API

<!-- Made of the comments in src by \`npm run docs\`: edit those. -->

[Contents of the documentation](README.md). Every export of every entry point. Counts are integers, times are milliseconds unless it says otherwise; \`Infinity\` turns a
time off; 0 means zero, never unlimited; \`undefined\` means the default. A wrong value, or an unknown name, throws
\`POOL_INVALID_OPTION\`, with what was given and what is allowed.
`;

/** What stands first, since it is what most look for; the rest follows by kind. */
const FIRST = [
  ...[
    'Pool',
    'RedisPool',
    'PoolOptions',
    'AcquireOptions',
    'CloseOptions',
    'Lease',
    'LeaseMessage',
    'PoolErrorCode',
  ],
  ...['PoolError', 'isPoolError', 'PoolEvents', 'PoolEvent', 'ConnectionEvent', 'PoolStats', 'PoolHealth'],
];

/** The text of docs/api.md; \`gaps\` are the members that lack a comment, and the options that lack a default. */
export function apiDocs() {
  const entries = entriesOf();
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    { ...ts.convertCompilerOptionsFromJson(config(), root).options, noEmit: true },
  );
  const page = new Page(program.getTypeChecker());
  const parts = entries.map(({ file }) => page.entry(program.getSourceFile(file)));
  const anchors = new Anchors();
  const contents = entries.map(({ specifier }, i) => {
    const names = parts[i].map(({ name }) => `[${name}](#${anchors.of(name)})`);
    return `- \`${specifier}\`: ${names.join(', ')}`;
  });
  const bodies = entries.map(({ specifier }, i) => [
    `## \`${specifier}\``,
    ...parts[i].map(({ text }) => text),
    ...metricsOf(specifier),
  ]);
  const text = [INTRO.trim(), contents.join('\n'), ...bodies.flat()].join('\n\n');
  return { text: `${text}\n`, gaps: page.gaps };
}

const config = () => JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')).compilerOptions;

/** Where headings lead, in their order: a second one that is spelt alike gets a number. */
class Anchors {
  #counts = new Map();

  of(name) {
    const anchor = name.toLowerCase().replace(/[^a-z0-9_ -]/g, '');
    const before = this.#counts.get(anchor) ?? 0;
    this.#counts.set(anchor, before + 1);
    return before > 0 ? `${anchor}-${before}` : anchor;
  }
}

/** The metrics of an adapter: names and texts as they stand in its source. */
function metricsOf(specifier) {
  const adapter = /(prometheus|opentelemetry)$/.exec(specifier)?.[1];
  if (adapter === undefined) return [];
  const source = readFileSync(join(root, `src/integrations/observe/${adapter}-metrics.ts`), 'utf8');
  const text = source.replace(/const (COUNT|TIMEOUTS) = ('[^']+');/g, (_, name, value) => {
    constants.set(name, value);
    return '';
  });
  const rows =
    adapter === 'prometheus'
      ? [
          ...[
            ...text.matchAll(
              /\b(gauge|counter)\(\s*'(\w+)',\s*'([^']+)',.*?(?:,\s*'(\w+)',?\s*)?\),\n(?= {2}\w|\])/gs,
            ),
          ].map(([, kind, name, help, label]) => [`redis_pool_${name}`, kind, label ?? '', help]),
          ...[...text.matchAll(/name: '(\w+)',\s*help: '([^']+)'/g)].map(([, name, help]) => {
            return [`redis_pool_${name}`, 'histogram', '', help];
          }),
        ]
      : [
          ...[...text.matchAll(/\['([\w.]+)', '(\{\w+\})', '([^']+)'/g)].map(([, name, unit, help]) => [
            name,
            unit,
            help,
          ]),
          ...[...text.matchAll(/instrument\('\w+', (\w+), '(\{\w+\})', '([^']+)'/g)].map(
            ([, name, unit, help]) => {
              return [constants.get(name)?.slice(1, -1), unit, help];
            },
          ),
          ...[...text.matchAll(/times\('([\w.]+)', '([^']+)'/g)].map(([, name, help]) => [name, 's', help]),
        ];
  const heads =
    adapter === 'prometheus' ? ['metric', 'kind', 'label', 'meaning'] : ['metric', 'unit', 'meaning'];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const named = rows.map(([name, ...cells]) => line([`\`${name}\``, ...cells]));
  return ['### Metrics', [line(heads), line(heads.map(() => '---')), ...named].join('\n')];
}

const constants = new Map();

/** What tsup builds, by the name under which it is imported. */
function entriesOf() {
  const text = readFileSync(join(root, 'tsup.config.ts'), 'utf8');
  return [...text.matchAll(/^ {4}(\w+): '(src\/[^']+)'/gm)].map(([, name, path]) => ({
    specifier: name === 'index' ? 'bounded-redis-pool' : `bounded-redis-pool/${name}`,
    file: join(root, path),
  }));
}

class Page {
  gaps = [];
  #types;
  /** What a page before has already. */
  #seen = new Set();

  constructor(types) {
    this.#types = types;
  }

  entry(file) {
    const exported = this.#types.getExportsOfModule(this.#types.getSymbolAtLocation(file));
    const found = exported.map((one) => ({ name: one.name, symbol: this.#resolved(one) }));
    const fresh = found.filter(({ symbol }) => !this.#seen.has(symbol));
    for (const { symbol } of fresh) this.#seen.add(symbol);
    const rank = ({ name, symbol }) => {
      const first = FIRST.indexOf(name);
      return first >= 0
        ? first
        : FIRST.length + ['class', 'function', 'interface', 'type'].indexOf(kindOf(symbol));
    };
    return fresh
      .sort((a, b) => rank(a) - rank(b))
      .map(({ name, symbol }) => {
        const called = kindOf(symbol) === 'function' ? `${name}()` : name;
        return { name: called, text: [`### ${called}`, ...this.#body(name, symbol)].join('\n\n') };
      });
  }

  #resolved = (one) => (one.flags & ts.SymbolFlags.Alias ? this.#types.getAliasedSymbol(one) : one);

  #body(name, symbol) {
    const kind = kindOf(symbol);
    const [node] = symbol.declarations;
    if (kind === 'function') {
      const all = symbol.declarations.filter((one) => !one.body || symbol.declarations.length === 1);
      return [signatures(all, 'function '), ...this.#docs(name, symbol)];
    }
    if (kind === 'class' || kind === 'interface')
      return [...this.#docs(name, symbol), ...this.#members(name, node)];
    if (ts.isTypeAliasDeclaration(node)) {
      const values = valuesOf(node);
      const docs = this.#docs(name, symbol);
      return values.length > 0
        ? [...docs, ...values]
        : [code(node.getText().replace(/^export /, '')), ...docs];
    }
    return [
      code(`const ${node.name.text}: ${node.type?.getText() ?? 'unknown'}`),
      ...this.#docs(name, symbol),
    ];
  }

  #members(owner, node) {
    const members = node.members.filter((one) => !isHidden(one));
    const from = (node.heritageClauses ?? []).map(({ token, types }) => {
      const verb = token === ts.SyntaxKind.ImplementsKeyword ? 'Implements' : 'Extends';
      return `${verb} \`${types.map((one) => one.getText()).join('`, `')}\`.`;
    });
    const constructors = members.filter((one) => ts.isConstructorDeclaration(one));
    const open = constructors.filter((one) => !one.body);
    const made = (open.length > 0 ? open : constructors).map((one) => `new ${owner}(${listOf(one)})`);
    const docs = constructors.slice(0, 1).flatMap((one) => this.#docs(owner, one.symbol, one));
    // What a class only implements, its interface describes.
    const implementing = node.heritageClauses?.some(({ token }) => token === ts.SyntaxKind.ImplementsKeyword);
    const own = (one) => !implementing || ts.getJSDocCommentsAndTags(one).length > 0;
    const named = members.filter((one) => one.name && !ts.isSetAccessor(one) && own(one));
    const methods = named.filter((one) => ts.isMethodDeclaration(one) || ts.isMethodSignature(one));
    const fields = named.filter((one) => !methods.includes(one));
    const isOptions = /Options$/.test(owner) && owner !== 'SetOptions'; // which are node-redis'
    const isEvents = /Events$/.test(owner);
    const rows = fields.map((one) => {
      const { text, fallback } = split(this.#docs(`${owner}.${nameOf(one)}`, one.symbol, one).join(' '));
      if (isOptions && fallback === undefined) this.gaps.push(`${owner}.${nameOf(one)}: no default`);
      const type = typeOf(one)
        .replace(/ConnectionEvent & |PoolEvent & /, '')
        .replace(/readonly /g, '');
      const cells = [`\`${nameOf(one)}\``, `\`${type}\``, ...(isOptions ? [fallback ?? ''] : []), text];
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replace(/\s+/g, ' ')).join(' | ')} |`;
    });
    const heads = isOptions
      ? '| option | type | default | meaning |\n| --- | --- | --- | --- |'
      : `| ${isEvents ? 'event' : 'field'} | ${isEvents ? 'carries' : 'type'} | meaning |\n| --- | --- | --- |`;
    // Overloads share one comment, and methods whose own comment is that of an interface are described there.
    const texts = methods.flatMap((one) => {
      const described = this.#docs(`${owner}.${nameOf(one)}`, one.symbol, one);
      if (described.length === 0) return [];
      return [`#### ${owner}.${nameOf(one)}()`, signatures([one], ''), ...described];
    });
    return [
      ...from,
      ...(made.length > 0 ? [code(made.join('\n')), ...docs] : []),
      ...(rows.length > 0 ? [[heads, ...rows].join('\n')] : []),
      ...texts,
    ];
  }

  /** The comment, what may be thrown, and examples. */
  #docs(what, symbol, node) {
    const documented = symbol.getDocumentationComment(this.#types);
    const text = plain(ts.displayPartsToString(documented));
    const tags = (node ? ts.getJSDocTags(node) : symbol.getJsDocTags(this.#types)).map((tag) => ({
      name: tag.tagName?.text ?? tag.name,
      text:
        tag.comment === undefined ? ts.displayPartsToString(tag.text) : ts.getTextOfJSDocComment(tag.comment),
    }));
    if (tags.some(({ name }) => name === 'internal')) return [];
    if (text === '' && !(node && ts.isConstructorDeclaration(node))) this.gaps.push(`${what}: no comment`);
    const thrown = tags
      .filter(({ name }) => name === 'throws')
      .map(({ text }) => {
        return `Errors: ${plain(text).replace(/^\{?PoolError\}? ?/, '')}`;
      });
    const examples = tags
      .filter(({ name }) => name === 'example')
      .map(({ text }) => `\`\`\`ts\n${text.trim()}\n\`\`\``);
    return [text, ...thrown, ...examples].filter((one) => one !== '');
  }
}

function kindOf(symbol) {
  if (symbol.flags & ts.SymbolFlags.Class) return 'class';
  if (symbol.flags & ts.SymbolFlags.Function) return 'function';
  return symbol.flags & ts.SymbolFlags.Interface ? 'interface' : 'type';
}

/** Private members, those for the library itself, and symbols, which the text of others mentions. */
function isHidden(member) {
  const hidden = ts.getCombinedModifierFlags(member) & (ts.ModifierFlags.Private | ts.ModifierFlags.Static);
  const internal = ts.getJSDocTags(member).some(({ tagName }) => tagName.text === 'internal');
  const { name } = member;
  return hidden || internal || (name && (ts.isPrivateIdentifier(name) || ts.isComputedPropertyName(name)));
}

const nameOf = (member) => member.name.getText();
const listOf = ({ parameters }) => parameters.map((one) => one.getText().replace(/\s+/g, ' ')).join(', ');

function typeOf(member) {
  const type = member.type?.getText() ?? member.initializer?.getText() ?? 'unknown';
  return type
    .replace(/\s+/g, ' ')
    .replace(/ \| undefined$/, '')
    .replace(/^\| /, '');
}

function signatures(nodes, before) {
  const texts = nodes.map((node) => {
    const generic = node.typeParameters
      ? `<${node.typeParameters.map((one) => one.getText()).join(', ')}>`
      : '';
    const result = node.type ? `: ${node.type.getText()}` : '';
    return `${before}${node.name.getText()}${generic}(${listOf(node)})${result}`;
  });
  return code(texts.join('\n'));
}

/** Not \`ts\`, which is for examples: those are run by a test. */
const code = (text) => `\`\`\`typescript\n${text}\n\`\`\``;

/** The members of a union of texts, each with its comment: short ones as a table. */
function valuesOf(node) {
  const found = [...node.getText().matchAll(/\/\*\*(.*?)\*\/\s*\|\s*'(\w+)'/gs)];
  const all = found.map(([, comment, name]) => ({
    name,
    text: plain(comment.replace(/^\s*\* ?/gm, '').trim()),
  }));
  if (all.some(({ text }) => text.includes('\n\n')))
    return all.flatMap(({ name, text }) => [`#### ${name}`, text]);
  if (all.length === 0) return [];
  const rows = all.map(({ name, text }) => `| \`${name}\` | ${text.replace(/\s+/g, ' ')} |`);
  return [['| value | meaning |', '| --- | --- |', ...rows].join('\n')];
}

/** The default, and the rest. */
function split(text) {
  const found = /\s*Default: (.*?)\.?\s*$/s.exec(text);
  if (!found) return { text, fallback: undefined };
  return { text: text.slice(0, found.index), fallback: found[1] };
}

/** Links become code: the names are headings of the same page. */
const plain = (text) => text.replace(/\{@link ([\w.]+) ?\}/g, '`$1`').trim();

if (process.argv[1] === import.meta.filename) {
  const { text, gaps } = apiDocs();
  for (const gap of gaps) console.error(gap);
  writeFileSync(API_DOCS, text);
}
