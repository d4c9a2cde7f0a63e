import { describe, expect, it } from 'vitest';
import { processor } from '../../lib/schematics/processor.factory.js';
import type { SourceName } from '../../lib/schematics/sources.js';

/** A project with these dependencies; its Nest CLI is not installed, so no module is changed. */
function project(dependencies: Readonly<Record<string, string>>) {
  const files = new Map([['package.json', JSON.stringify({ dependencies })]]);
  const said: string[] = [];
  const tree = {
    exists: (path: string) => files.has(path),
    read: (path: string) => files.get(path) ?? null,
    create: (path: string, content: string) => void files.set(path, content),
    overwrite: (path: string, content: string) => void files.set(path, content),
  };
  const logger = { info: (message: string) => void said.push(message), warn: () => {} };
  const generate = (name: string, source: SourceName) => processor({ name, source })(tree, { logger });
  return { files, generate, said };
}

describe('nest generate processor', () => {
  it('writes the processor and its test into a folder of their own', () => {
    const { files, generate } = project({});
    generate('users/ImportThings', 'array');
    expect([...files.keys()].slice(1)).toEqual([
      '/src/users/import-things/import-things.processor.ts',
      '/src/users/import-things/import-things.processor.spec.ts',
    ]);
  });

  it.each<[SourceName, Readonly<Record<string, string>>, string]>([
    ['csv', {}, 'npm install csv-parse@latest'],
    ['typeorm', { '@nestjs/core': '^11.1.0' }, 'npm install @nestjs/typeorm@11 typeorm@latest'],
    ['typeorm', { '@nestjs/core': '^11.1.0', typeorm: '^1.1.0' }, 'npm install @nestjs/typeorm@11'],
  ])('names the packages that %s needs, beside %j', (source, dependencies, command) => {
    const { generate, said } = project(dependencies);
    generate('import-things', source);
    expect(said.at(-1)).toBe(`It needs more packages: ${command}`);
  });

  it('names no package that is there', () => {
    const { generate, said } = project({ 'csv-parse': '^7.0.0' });
    generate('import-things', 'csv');
    expect(said).toEqual([]);
  });

  it('refuses a name that cannot be one of a file, and an unknown source', () => {
    const { generate } = project({});
    expect(() => generate('users/7', 'csv')).toThrow('The name is "users/7"; it must be a name such as import-users');
    expect(() => generate('users', 'xml' as SourceName)).toThrow(
      'The source is "xml"; it must be one of typeorm, prisma, csv',
    );
  });
});
