import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const GENERATED = fileURLToPath(new URL('generated/', import.meta.url));

/** The project's own options, and JavaScript with the decorators' metadata; the library is its source. */
const PROJECT = {
  extends: '../../../../tsconfig.json',
  compilerOptions: { noEmit: false, rootDir: '../../../..', outDir: 'dist' },
  include: ['**/*.ts'],
  exclude: ['dist'],
};

type Test = readonly [name: string, run: () => unknown];

/** Modules compiled with the library's source, in their own folder: two test runs may overlap. */
export class Compiled {
  /** The compiler's errors; empty when the modules compile. */
  readonly errors: string;
  readonly #folder: string;

  /** @param modules Their texts by name, which may have folders: `failures/collect.processor`. */
  constructor(modules: Readonly<Record<string, string>>) {
    mkdirSync(GENERATED, { recursive: true });
    this.#folder = mkdtempSync(join(GENERATED, 'run-'));
    for (const [name, text] of Object.entries(modules)) {
      const file = join(this.#folder, `${name}.ts`);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    writeFileSync(join(this.#folder, 'globals.d.ts'), '/// <reference types="vitest/globals" />\n');
    writeFileSync(join(this.#folder, 'tsconfig.json'), JSON.stringify(PROJECT));
    const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
    const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', this.#folder], { encoding: 'utf8' });
    this.errors = status === 0 ? '' : `tsc exited with ${status}:\n${stdout}${stderr}`;
  }

  /** The exports of a module. */
  import(name: string): Promise<unknown> {
    return import(join(this.#folder, 'dist', relative(ROOT, this.#folder), `${name}.js`));
  }

  /** The tests that a module declares by the globals of the test framework, when it is imported. */
  async testsOf(name: string): Promise<readonly Test[]> {
    const tests: Test[] = [];
    Object.assign(globalThis, { expect, it: (...test: Test) => tests.push(test) });
    await this.import(name);
    return tests;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
