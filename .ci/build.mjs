// Builds dist: node .ci/build.mjs [another directory]
//
// The code is CommonJS, once: what Node, Jest and bundlers load by `require` and by `import` are the same classes. The
// declarations are there for both formats: a compiler reads those of the format that it was asked for.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [dist = join(root, 'dist')] = process.argv.slice(2);

rmSync(dist, { recursive: true, force: true });
compile('cjs', '--module', 'commonjs', '--moduleResolution', 'bundler');
compile('esm', '--emitDeclarationOnly');
chmodSync(join(dist, 'cjs/cli/main.js'), 0o755);
writeFileSync(join(dist, 'cjs/package.json'), '{ "type": "commonjs" }\n');
writeFileSync(join(dist, 'esm/index.js'), "export * from '../cjs/index.js';\n");
for (const subpath of ['board', 'terminus', 'testing'])
  writeFileSync(join(dist, `esm/${subpath}/index.js`), `export * from '../../cjs/${subpath}/index.js';\n`);
cpSync(join(root, 'lib/board/page'), join(dist, 'cjs/board/page'), { recursive: true });
for (const file of ['collection', 'processor.schema', 'add.schema'])
  cpSync(join(root, `lib/schematics/${file}.json`), join(dist, `cjs/schematics/${file}.json`));

function compile(format, ...options) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(dist, format), ...options];
  execFileSync(process.execPath, [tsc, ...args], { stdio: 'inherit' });
}
