/** A job's name, id and error are written by others: these characters could move a terminal's cursor, hide text or reverse it. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** Of these, what JSON.stringify leaves as it is. */
const UNSAFE_IN_JSON = /[\u007f-\u009f]|\p{Cf}|\p{Zl}|\p{Zp}/gu;

/** The most characters of a cell that nobody needs to copy. */
const WIDEST = 60;

/** A row of a table, by its headings. */
export type Row = Readonly<Record<string, string>>;

/** One line of text in which every character can be seen. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}

/** The same value when it is parsed. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return `${text.replace(UNSAFE_IN_JSON, (character) =>
    Array.from({ length: character.length }, (_, at) => escaped(character.charCodeAt(at))).join(''),
  )}\n`;
}

function escaped(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}

/** Aligned columns under their headings. */
export function tableText(rows: readonly Row[], whenEmpty: string): string {
  const [first] = rows;
  if (!first) return `${whenEmpty}\n`;
  const headings = Object.keys(first);
  return alignedText([
    headings.map((heading) => heading.toUpperCase()),
    ...rows.map((row) => headings.map((heading) => row[heading] ?? '')),
  ]);
}

/** One aligned line for each label that has a value. */
export function sheetText(sheet: Readonly<Record<string, string | undefined>>): string {
  return alignedText(Object.entries(sheet).flatMap(([label, value]) => (value ? [[`${label}:`, value]] : [])));
}

function alignedText(lines: readonly (readonly string[])[]): string {
  const cells = lines.map((line) => line.map(printable));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((line) => lengthOf(line[column] ?? ''))));
  return cells
    .map((line) => line.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - lengthOf(cell))).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** In characters, not in UTF-16 units. */
function lengthOf(text: string): number {
  return [...text].length;
}

export function shortened(text: string): string {
  const characters = [...text];
  return characters.length > WIDEST ? `${characters.slice(0, WIDEST - 1).join('')}…` : text;
}

/** `2h 13m`, `4m 10s`, `12s`, `340ms`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  const seconds = Math.round(ms / 1_000);
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60)];
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${seconds % 60}s` : `${seconds}s`;
}
