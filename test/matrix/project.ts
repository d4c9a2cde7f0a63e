import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cell } from './cells.js';

const APP = join(import.meta.dirname, '../../../matrix/app');

/** The packages of Redis clients. */
const CLIENTS = { ioredis: 'ioredis', 'node-redis': 'redis', 'valkey-glide': '@valkey/valkey-glide' };

/** Rows of the table, and lines of the CSV. */
export const ROWS = 600;

/** Writes the application of a cell into an empty directory. */
export function writeProject(cell: Cell, directory: string, tarball: string): void {
  cpSync(APP, directory, { recursive: true });
  const src = join(directory, 'src');
  const [orm] = cell.orm.split(' ') as [string];
  choose(src, 'orm', orm);
  choose(src, 'connection', cell.redis.split(' ')[0] as string);
  choose(src, 'start', cell.host);
  if (cell.orm.endsWith(' prisma-client')) {
    const path = join(src, 'orm.ts');
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll("'@prisma/client'", "'./generated/client.js'"));
  }
  if (orm === 'prisma') writeSchema(cell, directory);
  writeFileSync(
    join(directory, 'lines.csv'),
    `id,name\n${numbers()
      .map((id) => `${id},"line\n${id}"\n`)
      .join('')}`,
  );
  writeJson(join(directory, 'package.json'), manifest(cell, tarball));
  writeJson(join(directory, 'tsconfig.json'), tsconfig(cell));
  writeBuild(cell, directory);
  writeTests(cell, directory);
}

export function numbers(): number[] {
  return Array.from({ length: ROWS }, (_, index) => index + 1);
}

/** How Node runs what was built. */
export function entryOf({ build }: Cell): string {
  return build === 'webpack' ? 'dist/main.cjs' : 'dist/main.js';
}

/** Keeps one of `orm.typeorm.ts` and `orm.prisma.ts`, as `orm.ts`. */
function choose(src: string, part: string, choice: string): void {
  renameSync(join(src, `${part}.${choice}.ts`), join(src, `${part}.ts`));
  const others = {
    orm: ['typeorm', 'prisma'],
    connection: ['ioredis', 'node-redis', 'valkey-glide'],
    start: ['context', 'express', 'fastify'],
  };
  for (const other of others[part as keyof typeof others]) rmSync(join(src, `${part}.${other}.ts`), { force: true });
}

function writeSchema({ orm, format }: Cell, directory: string): void {
  const [, version, generator] = orm.split(' ') as [string, string, string];
  const isOld = version.startsWith('6');
  const options = [
    `provider = "${generator}"`,
    ...(isOld ? ['engineType = "client"'] : []),
    ...(generator === 'prisma-client'
      ? [
          'output = "../src/generated"',
          `moduleFormat = "${isEsm(format) ? 'esm' : 'cjs'}"`,
          'importFileExtension = "js"',
        ]
      : []),
  ];
  mkdirSync(join(directory, 'prisma'));
  writeFileSync(
    join(directory, 'prisma/schema.prisma'),
    `generator client {
  ${options.join('\n  ')}
}

datasource db {
  provider = "postgresql"
  ${isOld ? 'url = env("DATABASE_URL")' : ''}
}

model CellRow {
  id Int      @id
  at DateTime @db.Timestamptz(6)

  @@map("cell_row")
}
`,
  );
}

function manifest({ bullmq, build, csv, format, host, nest, orm, redis, tests }: Cell, tarball: string): object {
  const isNest12 = nest.startsWith('12');
  const [ormName, ormVersion] = orm.split(' ') as [string, string];
  const [client, clientVersion] = redis.split(' ') as [string, string];
  const isBullMQ5 = bullmq.startsWith('5');
  return {
    private: true,
    type: isEsm(format) ? 'module' : 'commonjs',
    dependencies: {
      '@nestjs/bullmq': isNest12 ? '12.0.0' : '11.0.5',
      '@nestjs/common': nest,
      '@nestjs/core': nest,
      ...(host === 'context' ? {} : { [`@nestjs/platform-${host}`]: isNest12 ? '^12.0.0' : '^11.0.0' }),
      bullmq,
      'csv-parse': csv,
      'nestjs-iteration': `file:${tarball}`,
      'reflect-metadata': '0.2.2',
      rxjs: '7.8.2',
      ...(isBullMQ5 && client === 'ioredis' ? {} : { [CLIENTS[client as keyof typeof CLIENTS]]: clientVersion }),
      ...(ormName === 'typeorm'
        ? { typeorm: ormVersion, '@nestjs/typeorm': isNest12 ? '12.0.2' : '11.0.3', pg: '8.23.1' }
        : { '@prisma/client': ormVersion, '@prisma/adapter-pg': ormVersion, prisma: ormVersion }),
    },
    devDependencies: {
      '@types/node': '20.19.43',
      typescript: typescriptOf(format),
      ...(build === 'swc' ? { '@swc/cli': '^0.8.0', '@swc/core': '^1.16.0' } : {}),
      ...(build === 'webpack'
        ? {
            '@swc/core': '^1.16.0',
            'swc-loader': '^0.2.7',
            webpack: '^5.113.0',
            'webpack-cli': '^7.0.0',
            'webpack-node-externals': '^3.0.0',
          }
        : {}),
      ...(tests === 'jest'
        ? { '@types/jest': '^30.0.0', jest: '^30.0.0', 'ts-jest': '^29.4.0' }
        : { vitest: '4.1.12' }),
    },
  };
}

function typescriptOf(format: string): string {
  if (format === 'commonjs' || format.startsWith('node16')) return '5.9.3';
  return isEsm(format) ? '7.0.2' : '6.0.3';
}

function tsconfig({ build, format, strict, tests }: Cell): object {
  const [module] = format.split(' ') as [string];
  const modules: Record<string, object> = {
    commonjs: { module: 'commonjs', moduleResolution: 'node10' },
    node16: { module: 'node16', moduleResolution: 'node16' },
    nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
    bundler: { module: 'esnext', moduleResolution: 'bundler' },
  };
  return {
    compilerOptions: {
      ...modules[module],
      target: 'ES2023',
      types: ['node', ...(tests === 'jest' ? ['jest'] : ['vitest/globals'])],
      strict: strict === 'strict',
      strictPropertyInitialization: false,
      esModuleInterop: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      isolatedModules: build !== 'tsc',
      skipLibCheck: true,
      rootDir: 'src',
      outDir: 'dist',
    },
    include: ['src'],
  };
}

/** As Nest's CLI sets SWC and webpack up. */
function writeBuild({ build, format }: Cell, directory: string): void {
  const swc = {
    jsc: {
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      keepClassNames: true,
      target: 'es2022',
    },
    module: { type: isEsm(format) && build === 'swc' ? 'es6' : 'commonjs' },
  };
  if (build !== 'tsc') writeJson(join(directory, '.swcrc'), swc);
  if (build !== 'webpack') return;
  writeFileSync(
    join(directory, 'webpack.config.cjs'),
    `const externals = require('webpack-node-externals');
module.exports = {
  mode: 'none',
  target: 'node',
  entry: './src/main.ts',
  output: { path: __dirname + '/dist', filename: 'main.cjs' },
  resolve: { extensions: ['.ts', '.js'], extensionAlias: { '.js': ['.ts', '.js'] } },
  module: { rules: [{ test: /\\.ts$/, exclude: /node_modules/, use: { loader: 'swc-loader', options: ${JSON.stringify(swc)} } }] },
  externals: [externals({ allowlist: [/^nestjs-iteration/] })],
};
`,
  );
}

function writeTests({ nest, tests }: Cell, directory: string): void {
  if (tests === 'vitest') {
    const config = "export default { test: { globals: true, include: ['src/**/*.spec.ts'] } };\n";
    writeFileSync(join(directory, 'vitest.config.mjs'), config);
    return;
  }
  writeJson(join(directory, 'jest.config.json'), {
    moduleFileExtensions: ['js', 'json', 'ts'],
    rootDir: nest.startsWith('12') ? '.' : 'src',
    testRegex: '.*\\.spec\\.ts$',
    transform: { '^.+\\.(t|j)s$': 'ts-jest' },
    // The application's own imports end in .js.
    moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
    testEnvironment: 'node',
  });
}

function isEsm(format: string): boolean {
  return format.endsWith('ESM');
}

function writeJson(path: string, value: object): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
