import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Compiled } from '../support/compile.js';
import { blocksOf, documentOf } from '../support/markdown.js';

const blocks = blocksOf(documentOf('docs/performance.md'));

/** The file that the snippet imports but does not show. */
const SURROUNDINGS = {
  'user.entity': `
    import { Entity, PrimaryGeneratedColumn } from 'typeorm';
    @Entity() export class User { @PrimaryGeneratedColumn() id!: number }
  `,
};

let compiled: Compiled;
beforeAll(() => {
  const shown = Object.fromEntries(blocks.map(({ module, text }) => [module, text]));
  compiled = new Compiled({ ...SURROUNDINGS, ...shown });
});
afterAll(() => compiled.remove());

describe('docs/performance.md', () => {
  it('every code block is TypeScript and compiles unchanged', () => {
    expect(blocks.map(({ language, heading }) => `${heading}: ${language}`)).toEqual(['Items in flight: ts']);
    expect(compiled.errors).toBe('');
  });
});
