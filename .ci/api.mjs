// Writes the API reference as Markdown, from the doc comments: node .ci/api.mjs [another directory]
//
// The entry points are the sub-paths of package.json. TypeDoc needs the API of a compiler that TypeScript 7 does not
// have: it runs on `typescript-6`.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [out = join(root, 'generated/api')] = process.argv.slice(2);
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const paths = Object.keys(exports).filter((path) => path !== './package.json');
const entryPoints = paths.flatMap((path) => ['--entryPoints', join(root, 'lib', path, 'index.ts')]);

const compiler = pathToFileURL(join(root, 'test/support/other-versions.mjs')).href;
const typedoc = join(root, 'node_modules/typedoc/bin/typedoc');
const { status } = spawnSync(
  process.execPath,
  ['--import', compiler, typedoc, '--options', join(root, '.ci/typedoc.json'), '--out', out, ...entryPoints],
  { cwd: root, stdio: 'inherit', env: { ...process.env, INSTEAD: 'typescript=typescript-6' } },
);
process.exit(status ?? 1);
