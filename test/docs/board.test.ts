import { describe, expect, it } from 'vitest';
import { ROUTES, type RouteDescription } from '../../lib/board/openapi.routes.js';
import { documentOf, tableUnder } from '../support/markdown.js';

const text = documentOf('docs/board.md');

describe('docs/board.md', () => {
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
