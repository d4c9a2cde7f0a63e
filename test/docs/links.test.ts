import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documentOf } from '../support/markdown.js';

const project = new URL('../../', import.meta.url);
const documents = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(new URL('docs/', project))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** What npm packs: `files` of package.json, and the files that npm always adds. */
const packed: readonly string[] = [...JSON.parse(documentOf('package.json')).files, 'README.md', 'LICENSE'];

/** Maximum length of a line. */
const MAX_LINE = 120;

/** Every link to another part of the project, as `file#heading`. */
function linksOf(document: string): readonly string[] {
  const text = documentOf(document).replace(/^```.*?^```$/gms, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link).filter((link) => !/^https?:/.test(link));
}

/** The lines of a document that can be wrapped, code included: outside tables, and without URLs. */
function linesOf(document: string): readonly string[] {
  const lines = documentOf(document).split('\n');
  return lines.filter((line) => !line.startsWith('|')).map((line) => line.replace(/https?:\/\/[^)\s]+/g, ''));
}

/** The anchors of a document's headings, as GitHub and npm make them. */
function anchorsOf(document: string): readonly string[] {
  return [...documentOf(document).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe.each(documents)('%s', (document) => {
  it('every link leads to an existing file and heading', () => {
    const dead = linksOf(document).filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? document : posix.join(posix.dirname(document), path);
      if (!existsSync(new URL(target, project))) return true;
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
    expect(dead).toEqual([]);
  });

  it('every link leads to a file in the npm package', () => {
    const here = posix.dirname(document);
    const targets = linksOf(document).map((link) => posix.join(here, link.split('#')[0] || posix.basename(document)));
    const isPacked = (target: string) => packed.some((path) => target === path || target.startsWith(`${path}/`));
    expect(targets.filter((target) => !isPacked(target))).toEqual([]);
  });

  it('no line outside tables has over 120 characters', () => {
    expect(linesOf(document).filter((line) => [...line].length > MAX_LINE)).toEqual([]);
  });
});

describe('docs/guarantees.md', () => {
  const rules = [...documentOf('docs/guarantees.md').matchAll(/^### (R\d+)$/gm)].map(([, rule]) => rule as string);
  const tests = readdirSync(new URL('test/', project), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => readFileSync(new URL(`test/${path}`, project), 'utf8'));

  it('the document states every rule that is implemented', () => {
    const later = ['R28', 'R29', 'R30', 'R31', 'R34', 'R35', 'R37', 'R38'];
    const built = [...Array.from({ length: 27 }, (_, index) => `R${index + 1}`), ...later];
    expect(rules).toEqual(built);
  });

  it('a test names every rule of the document', () => {
    expect(rules.filter((rule) => !tests.some((text) => new RegExp(`['"\`][^'"\`]*\\b${rule}\\b`).test(text)))).toEqual(
      [],
    );
  });
});
