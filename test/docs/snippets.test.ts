import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Compiled } from '../support/compile.js';
import { blocksOf, documentOf } from '../support/markdown.js';
import { FILES } from './files.js';
import { isFragment, modulesOf, PAGES, snippetsOf } from './pages.js';

/** `text` also stands for what a program prints. */
const LANGUAGES = ['ts', 'js', 'sh', 'sql', 'prisma', 'json', 'yaml', 'ini', 'dockerfile', 'mermaid', 'text'];

let compiled: Compiled;
beforeAll(() => {
  compiled = new Compiled(Object.assign({}, ...PAGES.map(modulesOf)));
});
afterAll(() => compiled.remove());

describe('every page of docs/', () => {
  it('every TypeScript snippet compiles, under the compiler options of the library', () => {
    expect(compiled.errors).toBe('');
  });
});

describe.each(PAGES)('docs/%s.md', (page) => {
  const snippets = snippetsOf(page);

  it('every code block names its language', () => {
    const languages = blocksOf(documentOf(`docs/${page}.md`)).map(({ language }) => language);
    expect(languages.filter((language) => !LANGUAGES.includes(language))).toEqual([]);
  });

  it('the first line of every snippet names its file', () => {
    const unnamed = snippets.filter((snippet) => snippet.module.startsWith('line-') && !isFragment(page, snippet));
    expect(unnamed.map(({ module }) => module)).toEqual([]);
  });

  it('no two snippets are the same file', () => {
    const files = snippets.map(({ module }) => module);
    expect(files.length).toBe(new Set(files).size);
  });

  it('FILES holds only files that its snippets import and do not show', () => {
    const files = Object.keys(FILES[page] ?? {});
    const texts = [...snippets.map(({ text }) => text), ...Object.values(FILES[page] ?? {})];
    const isImported = (file: string) => texts.some((text) => text.includes(`from './${file}.js'`));
    const isShown = (file: string) => snippets.some(({ module }) => module === file);
    expect(files.filter((file) => isShown(file) || !isImported(file))).toEqual([]);
  });
});

it('FILES is only of pages that exist', () => {
  expect(Object.keys(FILES).filter((page) => !PAGES.includes(page))).toEqual([]);
});
