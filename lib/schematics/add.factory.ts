import { ModuleEdit } from './module.edit.js';
import { missingPackages, OF_NEST, type SchematicContext, type Tree, textOf } from './tree.js';

interface AddOptions {
  readonly queue?: string;
  readonly sourceRoot?: string;
}

/** `nest add nestjs-iteration`: adds the modules that every application needs to its root module, where they are missing. */
export function add({ queue = 'iterations', sourceRoot = 'src' }: AddOptions) {
  return (tree: Tree, { logger }: SchematicContext): Tree => {
    const edit = ModuleEdit.of(tree);
    const module = edit?.nearest(`/${sourceRoot}`);
    const text = module ? textOf(tree, module) : '';
    const missing = modulesFor(queue).filter(({ call }) => !text.includes(call));
    if (edit && module) for (const each of missing) edit.add(module, { metadata: 'imports', ...each });
    else
      logger.warn(
        `Could not change the root module (none was found, or @nestjs/schematics is not installed): ` +
          `add ${missing.map(({ expression }) => expression).join(', ')} to its imports.`,
      );
    const packages = missingPackages(tree, { '@nestjs/bullmq': OF_NEST, bullmq: 'latest', ioredis: '5' });
    if (packages.length > 0) logger.info(`nestjs-iteration needs more packages: npm install ${packages.join(' ')}`);
    if (!textOf(tree, `${sourceRoot}/main.ts`).includes('enableShutdownHooks'))
      logger.info(
        'Call app.enableShutdownHooks() in main.ts: without it, a deploy kills the jobs instead of interrupting them.',
      );
    return tree;
  };
}

function modulesFor(queue: string) {
  const bull = { names: ['BullModule'], from: '@nestjs/bullmq' };
  return [
    {
      ...bull,
      call: 'BullModule.forRoot',
      expression: "BullModule.forRoot({ connection: { url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' } })",
    },
    { ...bull, call: 'BullModule.registerQueue', expression: `BullModule.registerQueue({ name: '${queue}' })` },
    {
      names: ['IterationModule'],
      from: 'nestjs-iteration',
      call: 'IterationModule',
      expression: 'IterationModule.forRoot()',
    },
  ];
}
