import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as errors from '../../lib/iteration.errors.js';
import { documentOf } from '../support/markdown.js';

const manifest = JSON.parse(documentOf('package.json'));
const subPaths = Object.keys(manifest.exports).filter((path) => path !== './package.json');
const folder = mkdtempSync(join(tmpdir(), 'iteration-api-'));
let generated: { status: number | null; output: string };

beforeAll(() => {
  const script = fileURLToPath(new URL('../../.ci/api.mjs', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
  generated = { status, output: `${stdout}${stderr}` };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The names that an entry point exports, types included. */
function exportsOf(subPath: string): string[] {
  const text = documentOf(posix.join('lib', subPath, 'index.ts'));
  const lists = [...text.matchAll(/^export (?:type )?\{(.*?)\}/gms)].flatMap(([, list = '']) => list.split(','));
  const names = lists.map((name) => name.trim().replace(/^type /, '')).filter((name) => name !== '');
  return text.includes("export * from './iteration.errors.js'") ? [...names, ...Object.keys(errors)] : names;
}

/** The names that have a page in the reference of an entry point. */
function pagesOf(subPath: string): string[] {
  const module = join(folder, posix.join(manifest.name, subPath));
  const kinds = readdirSync(module, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const pages = kinds.filter(({ name }) => !subPaths.includes(`./${name}`)).map(({ name }) => join(module, name));
  return pages.flatMap((kind) => readdirSync(kind)).map((file) => basename(file, '.md'));
}

describe('npm run docs:api', () => {
  it('the script of package.json writes the reference', () => {
    expect(manifest.scripts['docs:api']).toBe('node .ci/api.mjs');
  });

  it('the command tsc is the compiler of the library, not that of TypeDoc: npm rebuild typescript', () => {
    const tsc = fileURLToPath(new URL('../../node_modules/.bin/tsc', import.meta.url));
    const { stdout } = spawnSync(process.execPath, [tsc, '--version'], { encoding: 'utf8' });
    expect(stdout).toBe(`Version ${manifest.devDependencies.typescript}\n`);
  });

  it('the reference is written without a warning: every export has a doc comment, and every link a target', () => {
    expect(generated.output).not.toMatch(/warning|error/i);
    expect(generated.status).toBe(0);
  });

  it.each(subPaths)('%s: the reference has a page for each export, and for nothing else', (subPath) => {
    expect(exportsOf(subPath)).not.toEqual([]);
    expect(pagesOf(subPath).toSorted()).toEqual(exportsOf(subPath).toSorted());
  });
});
