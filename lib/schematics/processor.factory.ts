import { ModuleEdit } from './module.edit.js';
import { SOURCES, type Source, type SourceName } from './sources.js';
import { importLine, isEsm, libraryImport, missingPackages, type SchematicContext, type Tree, textOf } from './tree.js';

export interface ProcessorOptions {
  readonly name: string;
  readonly source?: SourceName;
  readonly queue?: string;
  readonly path?: string;
  readonly sourceRoot?: string;
  readonly flat?: boolean;
  readonly spec?: boolean;
  readonly skipImport?: boolean;
}

/** `nest g -c nestjs-iteration processor NAME`: writes a processor and its test, and adds it to the nearest module. */
export function processor(options: ProcessorOptions) {
  return (tree: Tree, { logger }: SchematicContext): Tree => {
    const place = placeOf(options);
    const edit = ModuleEdit.of(tree);
    const module = edit?.nearest(place.folder);
    const registered = registeredIn(module ? textOf(tree, module) : '');
    const className = classOf(place.name);
    const file: GeneratedFile = {
      ...place,
      className,
      queue: options.queue ?? registered ?? 'iterations',
      source: sourceFor(options)(className),
      suffix: isEsm(tree) ? '.js' : '',
    };
    const path = `${file.folder}/${file.name}.processor`;
    tree.create(`${path}.ts`, processorText(file));
    if (options.spec ?? true) tree.create(`${path}.spec.ts`, specText(file));
    if (options.skipImport) return tree;
    if (edit && module) declare(edit, module, { ...file, registered });
    else
      logger.warn(
        'Could not change a module (none was found, or @nestjs/schematics is not installed): ' +
          `add ${className} to its providers, and the queue "${file.queue}" to its imports.`,
      );
    if (file.source.needs) logger.info(file.source.needs);
    const packages = missingPackages(tree, file.source.packages ?? {});
    if (packages.length > 0) logger.info(`It needs more packages: npm install ${packages.join(' ')}`);
    return tree;
  };
}

interface Place {
  readonly name: string;
  /** From the project's root, which is `/`. */
  readonly folder: string;
  readonly sourceRoot: string;
}

interface GeneratedFile extends Place {
  readonly className: string;
  readonly queue: string;
  readonly source: Source;
  /** Ending of relative imports. */
  readonly suffix: string;
}

function placeOf({ flat = false, name: given, path = '', sourceRoot = 'src' }: ProcessorOptions): Place {
  const parts = given.split('/');
  const name = dashed(parts.pop() ?? '');
  if (!/^[a-z][a-z\d-]*$/.test(name))
    throw new Error(`The name is "${given}"; it must be a name such as import-users or users/import-users`);
  const folder = [sourceRoot, path, ...parts, flat ? '' : name].filter(Boolean).join('/');
  return { name, folder: `/${folder}`, sourceRoot };
}

function sourceFor({ source = 'typeorm' }: ProcessorOptions): (className: string) => Source {
  const found = SOURCES[source];
  if (found) return found;
  throw new Error(`The source is "${source}"; it must be one of ${Object.keys(SOURCES).join(', ')}`);
}

const LIBRARY = ['type BuildContext', 'BuildEnumerator', 'EachIteration', 'EnumeratorBuilder', 'IterativeProcessor'];

/** The queue that a module registers first. */
function registeredIn(module: string): string | undefined {
  return /registerQueue\(\{\s*name: ['"`]([^'"`]+)['"`]/.exec(module)?.[1];
}

function declare(
  edit: ModuleEdit,
  module: string,
  {
    className,
    folder,
    name,
    queue,
    registered,
    source,
    suffix,
  }: GeneratedFile & { readonly registered: string | undefined },
): void {
  const from = relative(module, `${folder}/${name}.processor`) + suffix;
  const { modules = [], entity } = source;
  const exported = entity ? [className, entity] : [className];
  edit.add(module, { metadata: 'providers', expression: className, names: exported, from });
  const queues = {
    names: ['BullModule'],
    from: '@nestjs/bullmq',
    expression: `BullModule.registerQueue({ name: '${queue}' })`,
  };
  const imports = queue === registered ? modules : [queues, ...modules];
  for (const each of imports) edit.add(module, { metadata: 'imports', ...each });
}

function processorText({ className, folder, name, queue, source, sourceRoot, suffix }: GeneratedFile): string {
  const { before, build, data, imports, item, parameters } = source;
  const context = data ? `{ cursor, data }: BuildContext<${data}>` : '{ cursor }: BuildContext';
  const fromOf = (from: string) =>
    from.startsWith('/') ? relative(`${folder}/${name}`, `/${sourceRoot}${from}`) + suffix : from;
  const lines = [
    importLine('Injectable', '@nestjs/common'),
    ...imports.map(([names, from]) => importLine(names, fromOf(from))),
    libraryImport(LIBRARY),
  ];
  return `${lines.join('\n')}

${before && `${before}\n`}@Injectable()
@IterativeProcessor({ queue: '${queue}', name: '${name}' })
export class ${className} {
  ${constructorOf(parameters)}

  /** Called once in each run: what comes after the cursor. */
  @BuildEnumerator()
  build(${context}) {
    return ${build};
  }

  /** After a kill, the last items are handled again: make it harmless to handle one twice. */
  @EachIteration()
  handle(item: ${item}): void {
    console.log(item);
  }
}
`;
}

function constructorOf(parameters: readonly string[]): string {
  const all = ['private readonly enumerators: EnumeratorBuilder', ...parameters];
  if (all.length === 1) return `constructor(${all[0]}) {}`;
  return `constructor(\n${all.map((each) => `    ${each},`).join('\n')}\n  ) {}`;
}

function specText({ className, name, source, suffix }: GeneratedFile): string {
  const parameters = ['new EnumeratorBuilder()', ...source.values].join(', ');
  const lines = [
    importLine('type BuildContext, EnumeratorBuilder', 'nestjs-iteration'),
    importLine('iterate', 'nestjs-iteration/testing'),
    importLine(className, `./${name}.processor${suffix}`),
  ];
  return `${lines.join('\n')}

describe('${className}', () => {
  it('carries on where it was interrupted', async () => {
    const processor = new ${className}(${parameters});
    const examples = ${source.examples};
    const build = ({ cursor }: BuildContext) =>
      new EnumeratorBuilder().array(examples, { cursor });
    Object.assign(processor, { build });

    const { items, state } = await iterate(processor, { interruptAfter: 1 });

    expect([state, items]).toEqual(['completed', examples]);
  });
});
`;
}

/** The path of a file, without its ending, as a module imports it. */
function relative(module: string, file: string): string {
  const from = module.split('/').filter(Boolean).slice(0, -1);
  const to = file.split('/').filter(Boolean);
  while (from.length > 0 && from[0] === to[0]) {
    from.shift();
    to.shift();
  }
  return [...(from.length > 0 ? from.map(() => '..') : ['.']), ...to].join('/');
}

function dashed(name: string): string {
  return name
    .replace(/([a-z\d])([A-Z])/g, '$1-$2')
    .replace(/[\s_.]+/g, '-')
    .toLowerCase();
}

function classOf(name: string): string {
  return name.replace(/(?:^|-)([a-z\d])/g, (_, first: string) => first.toUpperCase());
}
