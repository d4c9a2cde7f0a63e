// Builds dist. The code is CommonJS, once: what Node, Jest and bundlers load by `require` and by `import` are the same classes.
// The declarations are there for both formats: a compiler reads those of the format that it was asked for.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

rmSync('dist', { recursive: true, force: true });
compile('dist/cjs', '--module', 'commonjs', '--moduleResolution', 'bundler');
compile('dist/esm', '--emitDeclarationOnly');
writeFileSync('dist/cjs/package.json', '{ "type": "commonjs" }\n');
writeFileSync('dist/esm/index.js', "export * from '../cjs/index.js';\n");

function compile(outDir, ...options) {
  execFileSync(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', outDir, ...options],
    {
      stdio: 'inherit',
    },
  );
}
