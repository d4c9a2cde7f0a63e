import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The layers of lib, top to bottom: a file imports its own layer and layers below it. Add a new layer here. */
const LAYERS = [
  'cli',
  'schematics',
  'terminus',
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
  'events',
  'interruption',
  'bullmq',
  'base',
];

/** Folders of exactly-once, one for each kind of database client, which share its table. */
const HOSTS = /^exactly-once\/(?!table)/;

/** Layers that users import by a subpath of their own, such as `nestjs-iteration/terminus`, and the optional packages of each. */
const SUBPATHS: Readonly<Record<string, readonly string[]>> = {
  board: [],
  terminus: ['@nestjs/terminus'],
  testing: [],
};

/** Files of `lib` itself that import nothing above them. */
const BASE = [
  'around.run',
  'clock',
  'cursor',
  'describe',
  'is.plain',
  'is.promise',
  'iteration.errors',
  'iteration.options',
  'iteration.tokens',
  'optional.package',
  'options.check',
  'rules',
  'sql.dialect',
  'storable',
];

const BUILDER = 'enumerators/enumerator.builder';
const MAX_LINES = 200;

interface Import {
  readonly from: string;
  /** A file of `lib` without its ending, or a package. */
  readonly to: string;
  readonly kind: 'type' | 'value' | 'dynamic';
  /** The names that the exporting file uses. */
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
  exports: Record<string, unknown>;
  typesVersions: Record<string, Record<string, readonly string[]>>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
};

describe('the layers of lib', () => {
  it('every relative import in lib resolves to a file', () => {
    expect(imports.length).toBeGreaterThan(files.length);
    expect(allImports.filter(({ to }) => to.startsWith('.')).map(describeImport)).toEqual([]);
  });

  it('every file belongs to a layer', () => {
    expect(files.filter((file) => !LAYERS.includes(layerOf(file)))).toEqual([]);
  });

  it('a file imports only its own layer and layers below it', () => {
    const upwards = imports.filter(({ from, to }) => LAYERS.indexOf(layerOf(from)) > LAYERS.indexOf(layerOf(to)));
    expect(upwards.map(describeImport)).toEqual([]);
  });

  it("a file imports another layer only through that layer's index.ts", () => {
    const withoutEntry = ['index', 'iteration.module', 'enumerators', 'base'];
    const around = imports.filter(
      ({ from, to }) => entryOf(to) !== to && folderOf(from) !== folderOf(to) && !withoutEntry.includes(layerOf(to)),
    );
    expect(around.map(describeImport)).toEqual([]);
  });

  it('an index.ts exports only names that another layer imports', () => {
    const used = new Set(
      imports.flatMap(({ from, to, names }) =>
        entryOf(to) === to && folderOf(from) !== folderOf(to) ? names.map((name) => `${to} ${name}`) : [],
      ),
    );
    const unused = imports
      .filter(({ from }) => from.endsWith('/index') && !(layerOf(from) in SUBPATHS))
      .flatMap(({ from, names }) => names.map((name) => `${from} ${name}`))
      .filter((name) => !used.has(name));
    expect(unused).toEqual([]);
  });

  it('imports have no cycle, type imports included', () => {
    expect(cycles()).toEqual([]);
  });

  it('decorators import the code that executes jobs as types only', () => {
    const running = imports.filter(
      ({ from, to, kind }) =>
        layerOf(from) === 'decorators' && !['decorators', 'base'].includes(layerOf(to)) && kind !== 'type',
    );
    expect(running.map(describeImport)).toEqual([]);
  });
});

describe('a transaction host', () => {
  it("a host imports the table's folder and lower layers, never another host's folder", () => {
    const across = imports.filter(
      ({ from, to }) =>
        HOSTS.test(from) &&
        layerOf(to) === 'exactly-once' &&
        folderOf(to) !== folderOf(from) &&
        to !== 'exactly-once/table/index',
    );
    expect(across.map(describeImport)).toEqual([]);
  });
});

describe('a source', () => {
  const sources = files.filter((file) => layerOf(file) === 'enumerators' && file !== BUILDER);

  it('a source is <source>.enumerator.ts, or a folder <source> that contains that file', () => {
    const paths = (file: string) => [sourceOf(file), `${sourceOf(file)}/${sourceOf(file)}`];
    const without = sources.filter((file) => !paths(file).some((path) => texts.has(`enumerators/${path}.enumerator`)));
    expect(without).toEqual([]);
  });

  it('a source imports the contract, base files and its own files, never a sibling or the builder', () => {
    const others = imports
      .filter(({ from }) => sources.includes(from))
      .filter(
        ({ to }) =>
          ![
            'enumerators/contract/index',
            'cursor',
            'describe',
            'iteration.errors',
            'is.plain',
            'is.promise',
            'optional.package',
            'rules',
            'sql.dialect',
          ].includes(to),
      )
      .filter(({ from, to }) => to === BUILDER || layerOf(to) !== 'enumerators' || sourceOf(from) !== sourceOf(to));
    expect(others.map(describeImport)).toEqual([]);
  });

  it('other code imports a source by <source>.enumerator.ts; index.ts also exports its types', () => {
    const inside = imports
      .filter(({ to }) => sources.includes(to) && !to.endsWith('.enumerator'))
      .filter(({ from, to }) => !sources.includes(from) || sourceOf(from) !== sourceOf(to))
      .filter(({ from, kind }) => from !== 'index' || kind !== 'type');
    expect(inside.map(describeImport)).toEqual([]);
  });
});

describe('packages', () => {
  it('lib imports only peer dependencies and modules of Node.js; the command line also dependencies', () => {
    const peers = Object.keys(manifest.peerDependencies);
    const own = Object.keys(manifest.dependencies);
    const others = packageImports
      .filter(({ to }) => !isBuiltin(to) && !peers.includes(packageOf(to)))
      .filter(({ from, to }) => layerOf(from) !== 'cli' || !own.includes(packageOf(to)));
    expect(others.map(describeImport)).toEqual([]);
  });

  it('lib imports optional packages as types only, or dynamically when it needs them', () => {
    const eager = packageImports.filter(
      ({ from, to, kind }) =>
        manifest.peerDependenciesMeta[packageOf(to)]?.optional &&
        kind === 'value' &&
        !SUBPATHS[layerOf(from)]?.includes(packageOf(to)),
    );
    expect(eager.map(describeImport)).toEqual([]);
  });

  it('package.json exports each subpath, with types for import, for require, and for compilers without exports', () => {
    const format = (folder: string, name: string) => ({
      types: `./dist/${folder}/${name}/index.d.ts`,
      default: `./dist/${folder}/${name}/index.js`,
    });
    const names = Object.keys(SUBPATHS);
    expect(names.map((name) => manifest.exports[`./${name}`])).toEqual(
      names.map((name) => ({ import: format('esm', name), require: format('cjs', name) })),
    );
    expect(Object.keys(manifest.exports)).toHaveLength(names.length + 2); // the library, and package.json
    expect(manifest.typesVersions).toEqual({
      '*': Object.fromEntries(names.map((name) => [name, [`./dist/cjs/${name}/index.d.ts`]])),
    });
  });

  it('neither the library nor a subpath loads the command line or another subpath', () => {
    const above = imports.filter(
      ({ from, to }) => layerOf(to) !== layerOf(from) && (layerOf(to) === 'cli' || layerOf(to) in SUBPATHS),
    );
    expect(above.map(describeImport)).toEqual([]);
  });
});

describe('a file in lib', () => {
  it('a file keeps no mutable state in a module or a static field', () => {
    const mutable =
      /^(export )?(let|var) |^(export )?const [^=]+= (new (Map|Set|Weak\w+)(<.*>)?\(\)|\[\];|\{\};)|^\s+(public |private |protected )?static (?!.*\breadonly\b)[^(]+[=;]/;
    expect(linesThat((line) => mutable.test(line))).toEqual([]);
  });

  it('a file never uses "any"', () => {
    expect(linesThat((line) => /(?<![.\w$])any(?![\w$(])/.test(line))).toEqual([]);
  });

  it(`a file has at most ${MAX_LINES} lines`, () => {
    const long = [...texts].filter(([, text]) => text.trimEnd().split('\n').length > MAX_LINES);
    expect(long.map(([file]) => file)).toEqual([]);
  });
});

/** `enumerators/contract` for its files, `exactly-once` for exactly-once/table/index, `base` for clock. */
function layerOf(file: string): string {
  if (BASE.includes(file)) return 'base';
  if (file.startsWith('enumerators/contract/')) return 'enumerators/contract';
  return file.split('/')[0] as string;
}

/** Each folder of hosts within exactly-once has its own index.ts. */
function folderOf(file: string): string {
  return posix.dirname(file);
}

function entryOf(file: string): string {
  return posix.join(folderOf(file), 'index');
}

/** `csv` for enumerators/csv/bytes, `array` for enumerators/array.enumerator. */
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

/** `{ type A, type B }`: TypeScript removes such an import. */
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

/** Keeps the line numbers. */
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
