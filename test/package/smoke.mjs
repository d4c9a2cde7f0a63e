// Packs the library and installs it in new projects: ESM and CommonJS, Nest 12 and 11, without optional peers.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const NEST_11 = { nest: '11.2.10', bullmq: '11.0.5' };
const OPTIONAL_PEERS = [
  'typeorm',
  '@prisma/client',
  'csv-parse',
  'pg',
  'mysql2',
  '@nestjs/terminus',
  '@nestjs/swagger',
];
const ENTRIES = ['index.js', 'board/index.js', 'terminus/index.js'];
/** The board's page: files of a browser. */
const PAGE = 'dist/cjs/board/page/';
const PACKED =
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|docs\/[\w-]+\.md|docs\/images\/board\.png|dist\/cjs\/board\/page\/(index\.html|style\.css|board\.js)|dist\/[\w./-]+\.(js|js\.map|d\.ts)|dist\/cjs\/package\.json)$/;

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));
const manifest = readJson(join(root, 'package.json'));
const ours = manifest.devDependencies;
const work = mkdtempSync(join(tmpdir(), 'iteration-package-'));
const count = { passed: 0, failed: 0 };

try {
  const tarball = await packTarball();
  if (tarball) {
    await checkPackage(tarball);
    const redis = process.env.REDIS_URL ? undefined : await startRedis();
    try {
      const nest12 = { nest: ours['@nestjs/core'], bullmq: ours['@nestjs/bullmq'] };
      // Two at a time: an install waits for the network, a type check for the processor.
      await Promise.all([
        inTurn([
          () => checkProject({ name: 'ESM, Nest 12', type: 'module', ...nest12 }, tarball, redis),
          () => checkProject({ name: 'CommonJS, Nest 11', type: 'commonjs', ...NEST_11 }, tarball, redis),
        ]),
        inTurn([
          () => checkProject({ name: 'CommonJS, Nest 12', type: 'commonjs', ...nest12 }, tarball, redis),
          () => checkProject({ name: 'ESM, Nest 11', type: 'module', ...NEST_11 }, tarball, redis),
        ]),
      ]);
    } finally {
      await redis?.stop();
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed === 0 ? 0 : 1;

/** The tarball's path; undefined when there is none. */
async function packTarball() {
  let packed;
  await check('the package packs', async () => {
    const args = ['pack', '--json', '--foreground-scripts=false', '--pack-destination', work];
    packed = JSON.parse(await run('npm', args, { cwd: root }))[0];
  });
  if (!packed) return undefined;
  const paths = packed.files.map(({ path }) => path);
  await check('the tarball holds dist, docs, README, LICENSE and CHANGELOG, and nothing else', () => {
    const wanted = [
      'package.json',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'docs/sources.md',
      'dist/cjs/package.json',
      'dist/cjs/index.js',
      'dist/cjs/index.d.ts',
      'dist/cjs/cli/main.js',
      'dist/esm/index.js',
      'dist/esm/index.d.ts',
      ...['index.html', 'style.css', 'board.js'].map((name) => PAGE + name),
    ];
    none('is missing', wanted, (path) => !paths.includes(path));
    none('does not belong there', paths, (path) => !PACKED.test(path));
  });
  await check('each module has declarations for both formats and a source map, and its code is there once', () => {
    const isOurs = (path) => path.startsWith('dist/cjs/') && !path.startsWith(PAGE);
    const scripts = paths.filter((path) => isOurs(path) && path.endsWith('.js'));
    const declared = (path, format) => path.replace('/cjs/', `/${format}/`).replace(/\.js$/, '.d.ts');
    none('has no declarations for require', scripts, (path) => !paths.includes(declared(path, 'cjs')));
    none('has no declarations for import', scripts, (path) => !paths.includes(declared(path, 'esm')));
    none('has no source map', scripts, (path) => !paths.includes(`${path}.map`));
    const copies = paths.filter((path) => path.startsWith('dist/esm/') && path.endsWith('.js'));
    none('is a second copy', copies, (path) => !ENTRIES.includes(path.replace('dist/esm/', '')));
  });
  return join(work, packed.filename);
}

async function checkPackage(tarball) {
  const unpacked = join(work, 'package');
  await run('tar', ['-xzf', tarball, '-C', work]);
  await check('source maps contain their sources, which are not in the package', () => {
    const maps = filesOf(unpacked).filter((path) => path.endsWith('.map'));
    none('has no sources', maps, (path) => !readJson(join(unpacked, path)).sourcesContent?.every(Boolean));
  });
  await check('publint reports nothing', async () => {
    const said = await run(bin('publint'), ['run', tarball, '--strict']);
    if (/\b(Suggestions|Warnings|Errors):/.test(said)) throw new Error(said);
  });
  await check('attw accepts the types for node10, node16 from CommonJS and ESM, and bundlers', () =>
    run(bin('attw'), [tarball, '--no-emoji', '--no-color', '--format', 'ascii']),
  );
  await check('the public declarations contain no "any"', () => {
    none('', anysOf(unpacked), () => true);
  });
}

/** Installs the tarball in an empty project, compiles a small application with it, and runs a job to its end. */
async function checkProject({ name, type, nest, bullmq }, tarball, redis) {
  const project = join(work, name.toLowerCase().replace(/\W+/g, '-'));
  mkdirSync(project);
  cpSync(join(here, 'app'), project, { recursive: true });
  writeJson(join(project, 'package.json'), {
    private: true,
    type,
    dependencies: {
      '@nestjs/bullmq': bullmq,
      '@nestjs/common': nest,
      '@nestjs/core': nest,
      '@types/node': ours['@types/node'],
      bullmq: ours.bullmq,
      ioredis: ours.ioredis,
      'nestjs-iteration': `file:${tarball}`,
      'reflect-metadata': ours['reflect-metadata'],
      rxjs: ours.rxjs,
    },
  });
  const env = { ...process.env, REDIS_URL: process.env.REDIS_URL || redis?.url, NODE_PATH: '' };
  const node = (file) => run(process.execPath, [file], { cwd: project, env, timeout: 60_000 });

  const installed = await check(`${name}: the package installs with matching peers`, () =>
    run('npm', ['install', '--strict-peer-deps', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'], {
      cwd: project,
    }),
  );
  if (!installed) return;
  await check(`${name}: the install adds no optional peer`, () => {
    none('is installed', OPTIONAL_PEERS, (peer) => existsSync(join(project, 'node_modules', peer)));
  });
  const compiled = await check(`${name}: the application compiles with skipLibCheck false`, () =>
    run(bin('tsc'), ['-p', 'tsconfig.json'], { cwd: project }),
  );
  if (!compiled) return;
  await check(`${name}: a job runs to its end`, () => node('out/run-job.js'));
  await check(`${name}: R14: a job is put back before its dependencies close`, () => node('out/shutdown.js'));
  await check(`${name}: the board starts without @nestjs/swagger`, () => node('out/board.js'));
  await check(`${name}: a source names its missing package`, () => node('out/missing-packages.js'));
  await check(`${name}: require('nestjs-iteration') returns the library and its types`, () => node('out/require.cjs'));
  await check(`${name}: the command line lists a queue, and names the missing package of another server`, async () => {
    const command = (...args) => run(join(project, 'node_modules/.bin/nestjs-iteration'), args, { cwd: project, env });
    const said = await command('list', '-q', 'nothing');
    if (said !== 'No such jobs.\n') throw new Error(said);
    const failed = async (args, code, text) => {
      const error = await command(...args).then(
        () => ({}),
        (thrown) => thrown,
      );
      if (error.code !== code || !error.stderr?.includes(text))
        throw new Error(`${args}: ${error.code} ${error.stderr}`);
    };
    const postgres = 'postgres://localhost/test';
    await failed(['status', '7', '-q', 'nothing'], 3, 'has no job "7"');
    await failed(['list', '-q', 'nothing', '--url', postgres], 1, 'npm install pg');
    const driver = join(project, 'node_modules/ioredis');
    renameSync(driver, `${driver}-away`);
    await failed(['list', '-q', 'nothing'], 1, 'npm install ioredis').finally(() =>
      renameSync(`${driver}-away`, driver),
    );
    await failed(['migrate', '--url', postgres], 1, 'migrate needs the package "pg", which is not installed');
  });
  await check(`${name}: importing the library loads no installed optional peer`, () => {
    for (const peer of OPTIONAL_PEERS) installTrap(join(project, 'node_modules', peer));
    return node('out/import-only.js');
  });
}

/** Installs a package that records when it is loaded. */
function installTrap(folder) {
  mkdirSync(folder, { recursive: true });
  writeJson(join(folder, 'package.json'), { name: 'trap', version: '0.0.0', main: 'index.js' });
  writeFileSync(join(folder, 'index.js'), '(globalThis.loaded ??= []).push(__dirname);\n');
}

/** The places of `any` in the declarations that a user's compiler reads. */
function anysOf(packageFolder) {
  const { '.': main, './board': board } = manifest.exports;
  const entries = [main, board].flatMap(({ import: esm, require: cjs }) => [esm.types, cjs.types]);
  const seen = new Set(entries.map((entry) => posix.normalize(entry)));
  const found = [];
  for (const path of seen) {
    const text = readFileSync(join(packageFolder, path), 'utf8');
    for (const [, specifier] of text.matchAll(/(?:from|import|import\()\s*['"](\.[^'"]+)['"]/g)) {
      seen.add(posix.join(posix.dirname(path), specifier.replace(/\.js$/, '.d.ts')));
    }
    for (const [index, line] of withoutCommentsAndStrings(text).split('\n').entries()) {
      if (/(?<![.\w$])any(?![\w$(])/.test(line)) found.push(`${path}:${index + 1} ${line.trim()}`);
    }
  }
  if (seen.size < 10) throw new Error(`Only ${seen.size} declaration files are reached`);
  return found;
}

function withoutCommentsAndStrings(text) {
  return text.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (match) =>
    match.replace(/[^\n]/g, ''),
  );
}

/** Prints one line, and the reason of a failure. */
async function check(name, assertion) {
  try {
    await assertion();
    count.passed += 1;
    console.log(`ok    ${name}`);
    return true;
  } catch (error) {
    count.failed += 1;
    const output = [error.stdout, error.stderr].filter(Boolean).join('\n') || error.message;
    console.log(`FAIL  ${name}\n${output.trim().replace(/^/gm, '      ')}`);
    return false;
  }
}

function none(what, values, isWrong) {
  const wrong = values.filter(isWrong);
  if (wrong.length === 0) return;
  const more = wrong.length > 10 ? [`and ${wrong.length - 10} more`] : [];
  throw new Error([...wrong.slice(0, 10).map((value) => `${value} ${what}`.trim()), ...more].join('\n'));
}

async function run(file, args, options = {}) {
  const { stdout } = await promisify(execFile)(file, args, { maxBuffer: 2 ** 26, ...options });
  return stdout;
}

function bin(name) {
  return join(root, 'node_modules', '.bin', name);
}

function filesOf(folder) {
  return readdirSync(folder, { recursive: true }).map((path) => path.replaceAll('\\', '/'));
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function writeJson(path, value) {
  writeFileSync(path, JSON.stringify(value, null, 2));
}

async function inTurn(steps) {
  for (const step of steps) await step();
}

async function startRedis() {
  const port = await freePort();
  const folder = join(work, 'redis');
  mkdirSync(folder);
  const server = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(server, 'exit');
  for await (const line of createInterface({ input: server.stdout })) if (line.includes('Ready to accept')) break;
  server.stdout.resume();
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: () => {
      server.kill('SIGTERM');
      return exited;
    },
  };
}

async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
