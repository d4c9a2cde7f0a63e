import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES, type RouteDescription } from '../../lib/board/openapi.routes.js';
import { Compiled } from '../support/compile.js';
import { blocksOf, documentOf, tableUnder } from '../support/markdown.js';

const text = documentOf('docs/board.md');
const blocks = blocksOf(text).filter(({ language }) => language === 'ts');

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(Object.fromEntries(blocks.map(({ module, text }) => [module, text])));
});
afterAll(() => compiled.remove());

describe('docs/board.md', () => {
  it('every code block compiles, under the compiler options of the library', () => {
    expect(blocks).toHaveLength(1);
    expect(compiled.errors).toBe('');
  });

  it('the table of routes names every route with what it takes', () => {
    const rows = tableUnder(text, 'The API').map(({ route = '', '': takes = '' }) => `${route} ${takes}`);
    for (const [method, { body, query }] of Object.entries<RouteDescription>(ROUTES)) {
      const name = method.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`);
      const row = rows.find((each) => new RegExp(`\`(GET api/|POST api/)?${name}\``).test(each));
      const taken = Object.keys((body ?? query)?.properties ?? {}).filter((each) => each !== 'id');
      const unnamed = taken.filter((each) => each !== 'queue' && !row?.includes(`\`${each}\``));
      expect([name, row !== undefined, unnamed]).toEqual([name, true, []]);
    }
  });
});
