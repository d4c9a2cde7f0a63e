import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Compiled } from '../support/compile.js';
import { blocksOf, documentOf } from '../support/markdown.js';

const blocks = blocksOf(documentOf('docs/control.md')).filter(({ language }) => language === 'ts');

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(Object.fromEntries(blocks.map(({ module, text }) => [module, text])));
});
afterAll(() => compiled.remove());

describe('docs/control.md', () => {
  it('every code block compiles, under the compiler options of the library', () => {
    expect(blocks).toHaveLength(3);
    expect(compiled.errors).toBe('');
  });
});
