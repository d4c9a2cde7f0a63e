// Generates the Prisma clients of the schemas given as arguments: node generate.js <schema.prisma>...
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

const require = createRequire(import.meta.url);
const { version } = require('prisma/package.json');

for (const schema of process.argv.slice(2).map((path) => resolve(path))) {
  if (isFresh(schema)) continue;
  execFileSync(process.execPath, [require.resolve('prisma/build/index.js'), 'generate', '--schema', schema], {
    stdio: ['ignore', 'ignore', 'inherit'],
    // `generate` downloads the schema engine without using it; any executable replaces it.
    env: { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, ...process.env },
  });
}

function isFresh(schema) {
  const [, output] = /^\s*output\s*=\s*"(.+)"/m.exec(readFileSync(schema, 'utf8')) ?? [];
  try {
    const client = resolve(dirname(schema), output);
    const madeByThis = readFileSync(join(client, 'internal/class.ts'), 'utf8').includes(
      `"clientVersion": "${version}"`,
    );
    return madeByThis && statSync(join(client, 'client.ts')).mtimeMs > statSync(schema).mtimeMs;
  } catch {
    return false;
  }
}
