import { readdirSync } from 'node:fs';
import { type Block, blocksOf, documentOf } from '../support/markdown.js';
import { FILES } from './files.js';
import { SURROUNDINGS } from './surroundings.js';

/** The pages of docs/, without `.md`. */
export const PAGES: readonly string[] = readdirSync(new URL('../../docs/', import.meta.url))
  .filter((name) => name.endsWith('.md'))
  .map((name) => name.slice(0, -3));

/** The TypeScript of a page. */
export function snippetsOf(page: string): Block[] {
  return blocksOf(documentOf(`docs/${page}.md`)).filter(({ language }) => language === 'ts');
}

/** Whether a snippet is a part of a class, for which {@link SURROUNDINGS} has the rest. */
export function isFragment(page: string, { heading, module }: Block): boolean {
  return page === 'sources' && heading in SURROUNDINGS && module.startsWith('line-');
}

/** The modules of a page, each in the page's folder: its snippets, and the files that they import and it does not show. */
export function modulesOf(page: string): Record<string, string> {
  const shown = snippetsOf(page).map(({ heading, module, text }) => {
    const complete = page === 'sources' ? SURROUNDINGS[heading] : undefined;
    return [module, complete?.(text) ?? text] as const;
  });
  const modules = [...Object.entries(FILES[page] ?? {}), ...shown];
  return Object.fromEntries(modules.map(([name, text]) => [`${page}/${name}`, text]));
}
