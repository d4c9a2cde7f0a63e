import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { documentOf, tableUnder } from '../support/markdown.js';

const page = documentOf('docs/troubleshooting.md');
const files = readdirSync(new URL('../../lib/', import.meta.url), { recursive: true, encoding: 'utf8' });
const code = files.filter((path) => path.endsWith('.ts')).map((path) => documentOf(`lib/${path}`));
/** The texts of the library; a text of several lines is joined. */
const texts = code.join('\n').replace(/['`] \+\s+['`]/g, '');

/** The texts in the first column of the table under a heading. */
function quotedUnder(heading: string): string[] {
  const cells = tableUnder(page, heading).map((row) => Object.values(row)[0] ?? '');
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text));
}

/** Whether the library has every part of a text between the `…`. */
const isThere = (quoted: string) => quoted.split('…').every((part) => texts.includes(part.trim()));

describe('docs/troubleshooting.md', () => {
  it.each(['The application does not start', 'By message'])(
    '%s: the library writes every text that it quotes',
    (heading) => {
      const quoted = quotedUnder(heading);
      expect(quoted.length).toBeGreaterThan(7);
      expect(quoted.filter((text) => !isThere(text))).toEqual([]);
    },
  );

  it.each(['Nothing happens', 'Items are missing'])('%s: the library writes every text that it quotes', (heading) => {
    const messages = quotedUnder(heading).filter((text) => text.split(' ').length > 4);
    expect(messages.filter((text) => !isThere(text))).toEqual([]);
  });
});
