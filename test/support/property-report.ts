import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Vitest's global setup: prints a table of the tried properties of the sources at the end. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'iteration-properties-'));
  const path = join(folder, 'lines');
  process.env.PROPERTY_REPORT = path;
  return () => {
    const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
    rmSync(folder, { recursive: true });
    if (lines.length === 0) return;
    const rows = lines.map((line) => JSON.parse(line) as Record<string, string | number>);
    const order = (row: Record<string, string | number>) => `${row.source} ${row.database} ${row.property}`;
    console.log('\nRandom cases that resumed exactly:');
    console.table(rows.sort((one, other) => (order(one) < order(other) ? -1 : 1)));
  };
}

/** Adds a line to the table. */
export function reportProperty(line: Readonly<Record<string, string | number>>): void {
  const path = process.env.PROPERTY_REPORT;
  if (path) appendFileSync(path, `${JSON.stringify(line)}\n`);
}
