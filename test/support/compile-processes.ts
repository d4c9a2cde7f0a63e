import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Vitest's global setup: compiles the programs of `test/processes`, and with them the library, for plain Node. */
export default function compileProcesses(): void {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  const project = fileURLToPath(new URL('../processes/tsconfig.json', import.meta.url));
  execFileSync(process.execPath, [join(typescript, 'bin/tsc'), '-p', project], { stdio: 'inherit' });
}
