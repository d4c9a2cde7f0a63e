// Packs the library and installs it in new projects: ESM and CommonJS, Nest 12 and 11, without optional peers; and with Jest.
//
// node test/package/smoke.mjs [a part of a project's name, such as Jest: only these projects]
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
/** What `nest new` installs for tests. ts-jest takes no TypeScript 7. */
const JEST = { '@types/jest': '30.0.0', jest: '30.5.2', 'ts-jest': '29.4.15', typescript: '5.9.3' };
/** The last one for Node 20. */
const NEST_CLI = '11.0.24';
const NEST_TYPEORM = '11.0.3';
const NEST_TESTING = '11.2.6';
const JEST_PROJECT = 'Jest, CommonJS, Nest 11';
const OPTIONAL_PEERS = [
  'typeorm',
  '@prisma/client',
  'csv-parse',
  'pg',
  'mysql2',
  '@nestjs/terminus',
  '@nestjs/swagger',
];
/** Most that the tarball may hold: source maps are nearly half of what is unpacked. */
const BUDGET = { size: 1_200_000, unpackedSize: 4_400_000, entryCount: 1_400 };
/** Licences that an application may take on without asking a lawyer. */
const PERMISSIVE = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD'];
const PRISMA_SERVICE = `import { Injectable } from '@nestjs/common';

@Injectable()
export class PrismaService {
  readonly user!: never;
}
`;
const ENTRIES = ['index.js', 'board/index.js', 'terminus/index.js', 'testing/index.js'];
/** The board's page: files of a browser. */
const PAGE = 'dist/cjs/board/page/';
const PACKED =
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|docs\/[\w-]+\.md|docs\/images\/board\.png|dist\/cjs\/board\/page\/(index\.html|style\.css|board\.js)|dist\/[\w./-]+\.(js|js\.map|d\.ts)|dist\/cjs\/package\.json|dist\/cjs\/schematics\/[\w.]+\.json)$/;

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));
const manifest = readJson(join(root, 'package.json'));
const ours = manifest.devDependencies;
const only = process.argv[2] ?? '';
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
      const library = (project) => ({ ...project, check: () => checkProject(project, tarball, redis) });
      const projects = [
        library({ name: 'ESM, Nest 12', type: 'module', ...nest12 }),
        library({ name: 'CommonJS, Nest 12', type: 'commonjs', ...nest12 }),
        library({ name: 'CommonJS, Nest 11', type: 'commonjs', ...NEST_11 }),
        library({ name: 'ESM, Nest 11', type: 'module', ...NEST_11 }),
        { name: JEST_PROJECT, check: () => checkJest(tarball) },
      ].filter(({ name }) => name.includes(only));
      await Promise.all([0, 1].map((half) => inTurn(projects.filter((_, index) => index % 2 === half))));
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
  console.log(`packed ${packed.size} bytes, unpacked ${packed.unpackedSize}, ${packed.entryCount} files`);
  await check('the tarball keeps its budget', () => {
    const over = Object.keys(BUDGET).filter((key) => !(packed[key] <= BUDGET[key]));
    none('is over its budget', over, () => true);
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
  await check('what is installed with the package has a permissive licence', () => {
    const { packages } = readJson(join(root, 'package-lock.json'));
    const names = Object.keys(packages[''].dependencies);
    const of = (name) => packages[`node_modules/${name}`];
    none('has another licence', names, (name) => !PERMISSIVE.includes(of(name).license));
    none('brings packages whose licences nobody checks here', names, (name) => of(name).dependencies);
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
  await check(`${name}: the testing kit runs a job and resumes a source`, () => node('out/testing.js'));
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

/** A project as `nest new` makes it, with Jest, ts-jest and CommonJS. Its tests and its set-up are those of docs/testing.md. */
async function checkJest(tarball) {
  const name = JEST_PROJECT;
  const project = join(work, 'jest');
  const src = join(project, 'src');
  mkdirSync(src, { recursive: true });
  const document = readFileSync(join(root, 'docs/testing.md'), 'utf8');
  for (const [, file, text] of document.matchAll(/^```ts\n\/\/ ([\w.-]+\.ts)\n(.*?)^```$/gms))
    writeFileSync(join(src, file), text.replace(/(from '\.\/[\w.-]+)\.js'/g, "$1'"));
  cpSync(join(here, 'jest'), src, { recursive: true });
  const [, setUp] = /^```json\n(.*?)^```$/ms.exec(document);
  writeJson(join(project, 'package.json'), {
    private: true,
    ...JSON.parse(setUp),
    dependencies: {
      '@nestjs/bullmq': NEST_11.bullmq,
      '@nestjs/common': NEST_11.nest,
      '@nestjs/core': NEST_11.nest,
      bullmq: ours.bullmq,
      ioredis: ours.ioredis,
      '@nestjs/typeorm': NEST_TYPEORM,
      'csv-parse': ours['csv-parse'],
      'nestjs-iteration': `file:${tarball}`,
      'reflect-metadata': ours['reflect-metadata'],
      rxjs: ours.rxjs,
      typeorm: ours['typeorm-0.3'],
    },
    devDependencies: {
      '@nestjs/cli': NEST_CLI,
      '@nestjs/testing': NEST_TESTING,
      '@types/node': ours['@types/node'],
      'fast-check': ours['fast-check'],
      ...JEST,
    },
  });
  writeJson(join(project, 'tsconfig.json'), {
    compilerOptions: {
      module: 'commonjs',
      target: 'ES2023',
      emitDecoratorMetadata: true,
      experimentalDecorators: true,
      allowSyntheticDefaultImports: true,
      esModuleInterop: true,
      skipLibCheck: true,
      strictNullChecks: true,
    },
  });
  const installed = await check(`${name}: the package installs beside Jest`, () =>
    run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: project }),
  );
  if (!installed) return;
  const generated = ['typeorm', 'csv', 'array', 'pages'];
  await check(`${name}: nest add and nest generate write modules and processors`, () =>
    generate(project, { sources: generated }),
  );
  await check(`${name}: every test of docs/testing.md, and of the generated processors, passes`, async () => {
    const jest = join(project, 'node_modules/.bin/jest');
    const said = await run(jest, ['--ci', '--json'], { cwd: project, timeout: 300_000 });
    const { numPassedTests, numTotalTests } = JSON.parse(said);
    const declared = document.match(/^it\(/gm).length + 5 + generated.length; // and state.spec.ts, and what generate() adds by itself
    if (numPassedTests !== declared || numTotalTests !== declared)
      throw new Error(`${numPassedTests} of ${numTotalTests} tests passed, and the page has ${declared}`);
  });
}

/** What `nest add` does after the install, and a processor for each source. `nest generate` asks for the source, if it can. */
async function generate(project, { sources }) {
  const command = (name, ...args) => run(join(project, 'node_modules/.bin', name), args, { cwd: project });
  const module = join(project, 'src/app.module.ts');
  writeFileSync(module, "import { Module } from '@nestjs/common';\n\n@Module({})\nexport class AppModule {}\n");
  writeJson(join(project, 'nest-cli.json'), { sourceRoot: 'src' });
  await command('schematics', 'nestjs-iteration:nest-add', '--queue=imports');
  const once = readFileSync(module, 'utf8');
  await command('schematics', 'nestjs-iteration:nest-add');
  if (readFileSync(module, 'utf8') !== once) throw new Error('nest add adds again what is there');
  await command('nest', 'generate', '--collection', 'nestjs-iteration', 'processor', 'users/scanUsers');
  await command('schematics', 'nestjs-iteration:processor', 'app', '--source=csv', '--flat'); // a part of the name AppModule
  writeFileSync(join(project, 'src/prisma.service.ts'), PRISMA_SERVICE);
  for (const args of [['--flat'], ['--path=deep']])
    await command(
      'schematics',
      'nestjs-iteration:processor',
      `prisma-${args[0].slice(2, 6)}`,
      '--source=prisma',
      ...args,
    );
  for (const source of sources)
    await command('schematics', 'nestjs-iteration:processor', `go-over-${source}`, `--source=${source}`);
  const { imports, providers } = metadataOf(readFileSync(module, 'utf8'));
  const queue = "BullModule.registerQueue({ name: 'imports' })";
  const added = ['BullModule.forRoot', queue, 'IterationModule.forRoot', 'TypeOrmModule.forFeature([ScanUsersRow])'];
  if (imports.split('registerQueue').length !== 2)
    throw new Error(`the queue is registered more than once: ${imports}`);
  const missing = added.filter((name) => !imports.includes(name));
  const processors = [
    'ScanUsers',
    'App',
    'PrismaFlat',
    'PrismaPath',
    ...sources.map((source) => `GoOver${source[0].toUpperCase()}${source.slice(1)}`),
  ];
  missing.push(...processors.filter((name) => !providers.split(/\W+/).includes(name)));
  if (missing.length > 0) throw new Error(`the module has no ${missing.join(', ')}`);
  await command('tsc', '--noEmit', '-p', 'tsconfig.json');
}

function metadataOf(text) {
  const [, imports = ''] = /imports: \[(.*?)\],?\n/s.exec(text) ?? [];
  const [, providers = ''] = /providers: \[(.*?)\]/s.exec(text) ?? [];
  return { imports, providers };
}

/** Installs a package that records when it is loaded. */
function installTrap(folder) {
  mkdirSync(folder, { recursive: true });
  writeJson(join(folder, 'package.json'), { name: 'trap', version: '0.0.0', main: 'index.js' });
  writeFileSync(join(folder, 'index.js'), '(globalThis.loaded ??= []).push(__dirname);\n');
}

/** The places of `any` in the declarations that a user's compiler reads. */
function anysOf(packageFolder) {
  const { '.': main, './board': board, './testing': testing } = manifest.exports;
  const entries = [main, board, testing].flatMap(({ import: esm, require: cjs }) => [esm.types, cjs.types]);
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

async function inTurn(projects) {
  for (const project of projects) await project.check();
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
