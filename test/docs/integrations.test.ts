import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { blocksOf, documentOf } from '../support/markdown.js';

const FOLDER = 'test/integrations/recipes/';
const recipes = readdirSync(new URL(`../../${FOLDER}`, import.meta.url)).filter((name) => name.endsWith('.ts'));

describe('docs/integrations.md', () => {
  const blocks = blocksOf(documentOf('docs/integrations.md')).filter(({ language }) => language === 'ts');

  it('every code block names a recipe that the tests run, and every recipe is shown', () => {
    expect(blocks.map(({ module }) => `${module}.ts`).toSorted()).toEqual(recipes.toSorted());
  });

  it.each(recipes)('%s is shown verbatim', (recipe) => {
    const block = blocks.find(({ module }) => `${module}.ts` === recipe);
    expect(block?.text).toBe(documentOf(`${FOLDER}${recipe}`));
  });
});
