import { readFileSync } from 'node:fs';

/** A fenced block of a document. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** The heading above the block. */
  readonly heading: string;
  /**
   * The name of the block's module: `users` for a first line `// users.ts`; otherwise `line-12`, where the block
   * begins.
   */
  readonly module: string;
}

/** The text of a document, by its path in the project. */
export function documentOf(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

export function blocksOf(document: string): Block[] {
  return [...document.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].map(({ 1: language = '', 2: text = '', index }) => {
    const before = document.slice(0, index);
    const heading = [...before.matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? '';
    const named = /^\/\/ ([\w.-]+)\.ts\n/.exec(text)?.[1];
    return { language, text, heading, module: named ?? `line-${before.split('\n').length + 1}` };
  });
}

/** The rows of the first table under a heading, each by the names of its columns. */
export function tableUnder(document: string, heading: string): Record<string, string>[] {
  const section = document.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  const [names = [], , ...cells] = rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return cells.map((row) => Object.fromEntries(names.map((name, column) => [name, row[column] ?? ''])));
}
