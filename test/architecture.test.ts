import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The rooms of lib, top to bottom: a file imports its own room and rooms below it. A new room takes its place here. */
const ROOMS = [
  'index',
  'iteration.module',
  'board',
  'testing',
  'control',
  'worker',
  'discovery',
  'decorators',
  'run',
  'failures',
  'exactly-once',
  'runtime',
  'crashes',
  'parts',
  'checkpoint',
  'dead-letters',
  'definition',
  'enumerators',
  'enumerators/contract',
  'interruption',
  'base',
];

/** Rooms of exactly-once, one for each kind of database client, which share its table. */
const HOSTS = /^exactly-once\/(?!table)/;

/** Files of `lib` itself that import nothing above them. */
const BASE = [
  'clock',
  'cursor',
  'describe',
  'is.promise',
  'iteration.errors',
  'iteration.options',
  'iteration.tokens',
  'options.check',
  'rules',
  'sql.dialect',
];

const BUILDER = 'enumerators/enumerator.builder';
const MAX_LINES = 200;

interface Import {
  readonly from: string;
  /** A file of `lib` without its ending, or a package. */
  readonly to: string;
  readonly kind: 'type' | 'value' | 'dynamic';
  /** Under which the exporting file knows them. */
  readonly names: readonly string[];
}

const lib = new URL('../lib/', import.meta.url);
const files = readdirSync(lib, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => path.replaceAll('\\', '/').replace(/\.ts$/, ''))
  .sort();
const texts = new Map(files.map((file) => [file, readFileSync(new URL(`${file}.ts`, lib), 'utf8')]));
const allImports = files.flatMap(importsOf);
const imports = allImports.filter(({ to }) => texts.has(to));
const packageImports = allImports.filter(({ to }) => !texts.has(to) && !to.startsWith('.'));
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
};

describe('the rooms of lib', () => {
  it('are read: each relative import names a file', () => {
    expect(imports.length).toBeGreaterThan(files.length);
    expect(allImports.filter(({ to }) => to.startsWith('.')).map(describeImport)).toEqual([]);
  });

  it('hold every file', () => {
    expect(files.filter((file) => !ROOMS.includes(roomOf(file)))).toEqual([]);
  });

  it('import downwards only', () => {
    const upwards = imports.filter(({ from, to }) => ROOMS.indexOf(roomOf(from)) > ROOMS.indexOf(roomOf(to)));
    expect(upwards.map(describeImport)).toEqual([]);
  });

  it('have one door, index.ts, which other rooms enter by', () => {
    const doorless = ['index', 'iteration.module', 'enumerators', 'base'];
    const around = imports.filter(
      ({ from, to }) => doorOf(to) !== to && folderOf(from) !== folderOf(to) && !doorless.includes(roomOf(to)),
    );
    expect(around.map(describeImport)).toEqual([]);
  });

  it('open their doors only to what another room imports', () => {
    const used = new Set(
      imports.flatMap(({ from, to, names }) =>
        doorOf(to) === to && folderOf(from) !== folderOf(to) ? names.map((name) => `${to} ${name}`) : [],
      ),
    );
    const unused = imports
      .filter(({ from }) => from.endsWith('/index'))
      .flatMap(({ from, names }) => names.map((name) => `${from} ${name}`))
      .filter((name) => !used.has(name));
    expect(unused).toEqual([]);
  });

  it('have no cycle, not even of types', () => {
    expect(cycles()).toEqual([]);
  });

  it('leave the running to others: decorators import what runs as types only', () => {
    const running = imports.filter(
      ({ from, to, kind }) =>
        roomOf(from) === 'decorators' && !['decorators', 'base'].includes(roomOf(to)) && kind !== 'type',
    );
    expect(running.map(describeImport)).toEqual([]);
  });
});

describe('a host of transactions', () => {
  it("imports the table's room and what lies below, never another host's room", () => {
    const across = imports.filter(
      ({ from, to }) =>
        HOSTS.test(from) &&
        roomOf(to) === 'exactly-once' &&
        folderOf(to) !== folderOf(from) &&
        to !== 'exactly-once/table/index',
    );
    expect(across.map(describeImport)).toEqual([]);
  });
});

describe('a source', () => {
  const sources = files.filter((file) => roomOf(file) === 'enumerators' && file !== BUILDER);

  it('is one file, <source>.enumerator.ts, or a folder of its name that has this file', () => {
    const doors = (file: string) => [sourceOf(file), `${sourceOf(file)}/${sourceOf(file)}`];
    const without = sources.filter((file) => !doors(file).some((door) => texts.has(`enumerators/${door}.enumerator`)));
    expect(without).toEqual([]);
  });

  it('imports the contract, cursors, errors and its own files, never a sibling or the builder', () => {
    const others = imports
      .filter(({ from }) => sources.includes(from))
      .filter(
        ({ to }) =>
          ![
            'enumerators/contract/index',
            'cursor',
            'describe',
            'iteration.errors',
            'is.promise',
            'rules',
            'sql.dialect',
          ].includes(to),
      )
      .filter(({ from, to }) => to === BUILDER || roomOf(to) !== 'enumerators' || sourceOf(from) !== sourceOf(to));
    expect(others.map(describeImport)).toEqual([]);
  });

  it('is entered by its <source>.enumerator.ts; only its public types are named by the index', () => {
    const inside = imports
      .filter(({ to }) => sources.includes(to) && !to.endsWith('.enumerator'))
      .filter(({ from, to }) => !sources.includes(from) || sourceOf(from) !== sourceOf(to))
      .filter(({ from, kind }) => from !== 'index' || kind !== 'type');
    expect(inside.map(describeImport)).toEqual([]);
  });
});

describe('packages', () => {
  it('that lib imports are the ones its users install: peers and Node itself', () => {
    const peers = Object.keys(manifest.peerDependencies);
    const others = packageImports.filter(({ to }) => !isBuiltin(to) && !peers.includes(packageOf(to)));
    expect(others.map(describeImport)).toEqual([]);
  });

  it('that are optional are imported as types, or when they are used', () => {
    const eager = packageImports.filter(
      ({ to, kind }) => manifest.peerDependenciesMeta[packageOf(to)]?.optional && kind === 'value',
    );
    expect(eager.map(describeImport)).toEqual([]);
  });
});

describe('a file of lib', () => {
  it('keeps no state at module level or in a class: two applications in one process never meet', () => {
    const mutable =
      /^(export )?(let|var) |^(export )?const [^=]+= (new (Map|Set|Weak\w+)(<.*>)?\(\)|\[\];|\{\};)|^\s+(public |private |protected )?static (?!.*\breadonly\b)[^(]+[=;]/;
    expect(linesThat((line) => mutable.test(line))).toEqual([]);
  });

  it('has no "any"', () => {
    expect(linesThat((line) => /(?<![.\w$])any(?![\w$(])/.test(line))).toEqual([]);
  });

  it(`has at most ${MAX_LINES} lines`, () => {
    const long = [...texts].filter(([, text]) => text.trimEnd().split('\n').length > MAX_LINES);
    expect(long.map(([file]) => file)).toEqual([]);
  });
});

/** `enumerators/contract` of its files, `exactly-once` of exactly-once/table/turns, `base` of clock. */
function roomOf(file: string): string {
  if (BASE.includes(file)) return 'base';
  if (file.startsWith('enumerators/contract/')) return 'enumerators/contract';
  return file.split('/')[0] as string;
}

/** A room of hosts within exactly-once has a door of its own. */
function folderOf(file: string): string {
  return posix.dirname(file);
}

function doorOf(file: string): string {
  return posix.join(folderOf(file), 'index');
}

/** `csv` of enumerators/csv/bytes, `array` of enumerators/array.enumerator. */
function sourceOf(file: string): string {
  return file.replace(/^enumerators\//, '').split(/[./]/)[0] as string;
}

function importsOf(from: string): Import[] {
  const text = withoutComments(texts.get(from) as string);
  const statements = /^(?:import|export)\s+(?:(type\s)?([^'";]*?)\s*from\s+)?['"]([^'"]+)['"]/gm;
  const calls = /\bimport\(\s*['"]([^'"]+)['"]/g;
  return [
    ...[...text.matchAll(statements)].map(([, type, names, specifier]): Import => {
      const kind = type || isTypesOnly(names) ? 'type' : 'value';
      return { from, to: resolve(from, specifier as string), kind, names: namesIn(names) };
    }),
    ...[...text.matchAll(calls)].map(
      ([, specifier]): Import => ({ from, to: resolve(from, specifier as string), kind: 'dynamic', names: [] }),
    ),
  ];
}

/** `{ type A, b as c }` gives A and b. */
function namesIn(names = ''): string[] {
  const list = /^\{(.*)\}$/s.exec(names.trim())?.[1] ?? '';
  return list
    .split(',')
    .map((name) =>
      name
        .trim()
        .replace(/^type /, '')
        .replace(/ as .*/, ''),
    )
    .filter(Boolean);
}

/** `{ type A, type B }`: TypeScript leaves such an import out. */
function isTypesOnly(names = ''): boolean {
  const list = /^\{(.*)\}$/s
    .exec(names.trim())?.[1]
    ?.split(',')
    .map((name) => name.trim());
  return list?.filter(Boolean).every((name) => name.startsWith('type ')) ?? false;
}

function resolve(from: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  const path = posix.join(posix.dirname(from), specifier).replace(/\.js$/, '');
  return texts.has(path) ? path : specifier;
}

/** Keeps the lines where they are. */
function withoutComments(text: string, keepStrings = true): string {
  return text.replace(
    /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (match, string: string | undefined) => (string && keepStrings ? match : match.replace(/[^\n]/g, '')),
  );
}

function linesThat(test: (line: string) => boolean): string[] {
  return [...texts].flatMap(([file, text]) =>
    withoutComments(text, false)
      .split('\n')
      .flatMap((line, index) => (test(line) ? [`${file}.ts:${index + 1} ${line.trim()}`] : [])),
  );
}

/** Each cycle as the path that closes it. */
function cycles(): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (path.includes(file) || done.has(file)) return;
    for (const { to } of imports.filter(({ from }) => from === file)) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  return found;
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier);
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function describeImport({ from, to, kind }: Import): string {
  return `${from}.ts imports ${to}${kind === 'value' ? '' : ` (${kind})`}`;
}
