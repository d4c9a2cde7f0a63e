import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { createDatabase } from '../support/database.js';
import startServers from '../support/servers.js';
import { type Cell, describeCell, matrix } from './cells.js';
import { entryOf, ROWS, writeProject } from './project.js';
import { resumes } from './story.js';

/*
 * Applications in empty projects with the packed library, so that each pair of what they may be made of is in one of them.
 *
 *   npm run matrix                   all cells
 *   npm run matrix -- corners        the oldest of all, and the newest of all
 *   npm run matrix -- 4 17           these cells
 */

const ROOT = join(import.meta.dirname, '../../../..');
const AT_A_TIME = 2;

const execute = promisify(execFile);
const work = mkdtempSync(join(tmpdir(), 'iteration-matrix-'));
const nodes = new Map<string, Promise<string>>();

async function main(): Promise<void> {
  const stopServers = await startServers();
  const database = await createDatabase();
  try {
    await fill(database.url);
    const tarball = await pack();
    const { cells, pairs } = matrix();
    const chosen = choose(cells);
    let failed = 0;
    const queue = [...chosen];
    const runNext = async (): Promise<void> => {
      for (let cell = queue.shift(); cell; cell = queue.shift()) {
        const error = await attempt(cell, cells.indexOf(cell), { tarball, databaseUrl: database.url });
        const name = `${String(cells.indexOf(cell)).padStart(2)}  ${describeCell(cell)}`;
        if (error) failed += 1;
        console.log(error ? `FAIL  ${name}\n${error.replace(/^/gm, '      ')}` : `ok    ${name}`);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, runNext));
    if (chosen.length === cells.length) console.log(`${pairs} pairs of choices, each in at least one cell`);
    console.log(`${chosen.length - failed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  } finally {
    await database.drop();
    await stopServers();
    rmSync(work, { recursive: true, force: true });
  }
}

function choose(cells: readonly Cell[]): readonly Cell[] {
  const args = process.argv.slice(2);
  if (args.length === 0) return cells;
  return args.flatMap((arg) => (arg === 'corners' ? cells.slice(0, 2) : [cells[Number(arg)] as Cell]));
}

/** What is wrong with a cell; undefined when nothing is. */
async function attempt(
  cell: Cell,
  index: number,
  { tarball, databaseUrl }: { tarball: string; databaseUrl: string },
): Promise<string | undefined> {
  const directory = join(work, `cell-${index}`);
  const env = {
    ...process.env,
    NODE_OPTIONS: '',
    NODE_PATH: '',
    DATABASE_URL: databaseUrl,
    PREFIX: `${basename(work)}-${index}`,
    // `prisma generate` downloads the schema engine without using it; any executable replaces it.
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
  };
  const run: Run = (file, ...args) => execute(file, args, { cwd: directory, env, maxBuffer: 2 ** 26 });
  try {
    mkdirSync(directory);
    writeProject(cell, directory, tarball);
    const node = await nodeOf(cell);
    await build(cell, run);
    await resumes({ node, entry: entryOf(cell), directory, env });
    await test(cell, node, run);
    return undefined;
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { stdout?: string; stderr?: string };
    return [message, stdout, stderr].filter(Boolean).join('\n').trim().slice(0, 6_000);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs a program in the directory of a cell. */
type Run = (file: string, ...args: string[]) => Promise<unknown>;

async function build(cell: Cell, run: Run): Promise<void> {
  const bin = (name: string, ...args: string[]) => run(`node_modules/.bin/${name}`, ...args);
  await run('npm', 'install', '--strict-peer-deps', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts');
  if (cell.orm.startsWith('prisma')) await bin('prisma', 'generate', '--schema', 'prisma/schema.prisma');
  await checkTypes(() => bin('tsc', '-p', '.', '--noEmit', '--skipLibCheck', 'false'));
  if (cell.build === 'tsc') await bin('tsc', '-p', '.');
  if (cell.build === 'swc') await bin('swc', 'src', '-d', 'dist', '--strip-leading-paths');
  if (cell.build === 'webpack') await bin('webpack', '--config', 'webpack.config.cjs');
}

async function test({ nest, tests }: Cell, node: string, run: Run): Promise<void> {
  if (tests === 'vitest') {
    await run(node, 'node_modules/vitest/vitest.mjs', 'run');
    return;
  }
  // As the scripts of `nest new` 12 do.
  const vm = nest.startsWith('12') ? ['--experimental-vm-modules'] : [];
  await run(node, ...vm, 'node_modules/jest/bin/jest.js', '--config', 'jest.config.json', '--forceExit');
}

/** Other packages' declarations have faults of their own under `skipLibCheck: false`; those of this one and its users must not. */
async function checkTypes(compile: () => Promise<unknown>): Promise<void> {
  try {
    await compile();
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    const errors = stdout.split('\n').filter((line) => /\berror TS\d+/.test(line));
    const ours = errors.filter((line) => !/^node_modules\/(?!nestjs-iteration\/)/.test(line));
    if (ours.length > 0 || errors.length === 0) throw new Error(ours.join('\n') || String(error));
  }
}

/** A Node of that version, from npm. */
function nodeOf({ node }: Cell): Promise<string> {
  const installed = nodes.get(node) ?? install(node);
  nodes.set(node, installed);
  return installed;
}

async function install(version: string): Promise<string> {
  const directory = join(work, `node-${version}`);
  mkdirSync(directory);
  const name = `node-${process.platform}-${process.arch}`;
  await execute('npm', [
    'install',
    '--prefix',
    directory,
    '--no-audit',
    '--no-fund',
    '--no-save',
    `${name}@${version}`,
  ]);
  return join(directory, 'node_modules', name, 'bin/node');
}

async function pack(): Promise<string> {
  const args = ['pack', '--json', '--foreground-scripts=false', '--pack-destination', work];
  const { stdout } = await execute('npm', args, { cwd: ROOT });
  return join(work, (JSON.parse(stdout) as [{ filename: string }])[0].filename);
}

async function fill(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('CREATE TABLE cell_row (id int PRIMARY KEY, at timestamptz NOT NULL)');
  // Three rows of each time, which are a microsecond apart.
  const at = "timestamptz '2026-01-01' + (id / 3) * interval '1 microsecond'";
  await client.query(`INSERT INTO cell_row SELECT id, ${at} FROM generate_series(1, ${ROWS}) AS id`);
  await client.end();
}

await main();
