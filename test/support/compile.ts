import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const GENERATED = fileURLToPath(new URL('generated/', import.meta.url));

/** The project's own options, and JavaScript with the decorators' metadata; the library is its source. */
const PROJECT = {
  extends: '../../../../tsconfig.json',
  compilerOptions: { noEmit: false, rootDir: '../../../..', outDir: 'dist' },
  include: ['*.ts'],
  exclude: [],
};

/** Modules compiled with the library's source, in their own folder: two test runs may overlap. */
export class Compiled {
  /** The compiler's errors; empty when the modules compile. */
  readonly errors: string;
  readonly #folder: string;

  constructor(modules: Readonly<Record<string, string>>) {
    mkdirSync(GENERATED, { recursive: true });
    this.#folder = mkdtempSync(join(GENERATED, 'run-'));
    for (const [name, text] of Object.entries(modules)) writeFileSync(join(this.#folder, `${name}.ts`), text);
    writeFileSync(join(this.#folder, 'tsconfig.json'), JSON.stringify(PROJECT));
    const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
    const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', this.#folder], { encoding: 'utf8' });
    this.errors = status === 0 ? '' : `tsc exited with ${status}:\n${stdout}${stderr}`;
  }

  /** The exports of a module. */
  import(name: string): Promise<unknown> {
    return import(join(this.#folder, 'dist', relative(ROOT, this.#folder), `${name}.js`));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
