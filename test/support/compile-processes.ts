import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { INSTEAD } from './instead.js';

/** Most of what a program loads: hundreds of files, which take a second of a core at each start unless they are one. */
const PACKAGES = /^(@nestjs\/(common|core|bullmq|bull-shared|typeorm)|bullmq|ioredis|rxjs)\b/;
/** What the compiler itself adds, for decorators. */
const COMPILER = /^@oxc-project\b/;
/** Its SDK watches packages while they are loaded, and must be loaded first. */
const SENTRY = 'test/processes/sentry';

/** Vitest's global setup: compiles the programs of `test/processes`, and with them the library, for plain Node. */
export default async function compileProcesses(): Promise<void> {
  const programs = readdirSync(pathOf('test/processes'))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `test/processes/${name.slice(0, -3)}`)
    .filter((program) => program !== SENTRY);
  await compile([...programs, 'test/chaos/worker', 'test/chaos/operator', 'lib/cli/main'], { bundled: PACKAGES });
  await compile([SENTRY], { preserveModules: true });
}

async function compile(
  programs: readonly string[],
  { bundled, preserveModules }: { readonly bundled?: RegExp; readonly preserveModules?: boolean },
): Promise<void> {
  const bundle = await rolldown({
    cwd: pathOf(''),
    input: Object.fromEntries(programs.map((program) => [program, `./${program}.ts`])),
    platform: 'node',
    treeshake: false, // package.json says that no file of the library has side effects
    tsconfig: pathOf('tsconfig.json'),
    external: (id) => isPackage(id) && !bundled?.test(id) && !COMPILER.test(id),
    resolve: { alias: { ...INSTEAD }, extensionAlias: { '.js': ['.ts', '.js'] } },
  });
  const dir = pathOf('test/processes/dist');
  await bundle.write({ dir, format: 'esm', chunkFileNames: '[name].js', sourcemap: true, preserveModules });
}

function isPackage(id: string): boolean {
  return /^[@\w]/.test(id);
}

function pathOf(inProject: string): string {
  return fileURLToPath(new URL(`../../${inProject}`, import.meta.url));
}
