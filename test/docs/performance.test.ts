import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Compiled } from '../support/compile.js';
import { blocksOf, documentOf } from '../support/markdown.js';

const blocks = blocksOf(documentOf('docs/performance.md'));

const IMPORTS = `
  import { InjectRepository } from '@nestjs/typeorm';
  import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor } from 'nestjs-iteration';
  import type { BuildContext, IterationContext } from 'nestjs-iteration';
  import { Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
  @Entity() export class User { @PrimaryGeneratedColumn() id!: number }
`;

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(Object.fromEntries(blocks.map(({ module, text }) => [module, IMPORTS + text])));
});
afterAll(() => compiled.remove());

describe('docs/performance.md', () => {
  it('has only TypeScript blocks, which compile, as strictly as the library', () => {
    expect(blocks.map(({ language, heading }) => `${heading}: ${language}`)).toEqual(['Items in flight: ts']);
    expect(compiled.errors).toBe('');
  });
});
