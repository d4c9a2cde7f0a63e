/** The files of a project, as Nest's CLI gives them to a schematic: the part of the tree of `@angular-devkit/schematics` that is used. */
export interface Tree {
  exists(path: string): boolean;
  read(path: string): { toString(): string } | null;
  create(path: string, content: string): void;
  overwrite(path: string, content: string): void;
}

/** What a schematic says to whoever runs it. */
export interface SchematicContext {
  readonly logger: { info(message: string): void; warn(message: string): void };
}

export function textOf(tree: Tree, path: string): string {
  return tree.read(path)?.toString() ?? '';
}

/** A line of generated code. */
export function importLine(names: string, from: string): string {
  return ['import', `{ ${names} }`, 'from', `'${from}';`].join(' ');
}

/** The import of this library, with a line for each name: formatters cut one that is as long. */
export function libraryImport(names: readonly string[]): string {
  return `import {\n${names.map((name) => `  ${name},\n`).join('')}} from 'nestjs-iteration';`;
}

/** The project's `package.json`. */
function manifestOf(tree: Tree): {
  readonly type?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
} {
  return tree.exists('package.json') ? JSON.parse(textOf(tree, 'package.json')) : {};
}

/** The version of an integration of Nest: that of the application's Nest. npm would take the newest one. */
export const OF_NEST = 'of Nest';

/** Of these packages, with their versions, those that the project does not have: as `npm install` takes them. */
export function missingPackages(tree: Tree, wanted: Readonly<Record<string, string>>): readonly string[] {
  const { dependencies = {} } = manifestOf(tree);
  const [major] = /\d+/.exec(dependencies['@nestjs/core'] ?? '') ?? ['latest'];
  return Object.entries(wanted).flatMap(([name, version]) =>
    dependencies[name] ? [] : [`${name}@${version === OF_NEST ? major : version}`],
  );
}

/** Whether relative imports end with `.js`: Node's loader of ES modules requires it. */
export function isEsm(tree: Tree): boolean {
  return manifestOf(tree).type === 'module';
}
