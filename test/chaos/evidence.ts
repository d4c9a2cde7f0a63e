import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Breach } from './checker/story.js';
import type { LedgerRow, RecordRow } from './ledger.js';

/** Keeps the evidence of a chaos run if there is a breach, and removes it otherwise. @returns the directory. */
export function keepEvidence(
  directory: string,
  found: {
    readonly ledger: readonly LedgerRow[];
    readonly record: readonly RecordRow[];
    readonly breaches: readonly Breach[];
    readonly keep: boolean | undefined;
  },
): string | undefined {
  if (found.breaches.length === 0 && !found.keep) {
    rmSync(directory, { recursive: true });
    return undefined;
  }
  for (const name of ['ledger', 'record', 'breaches'] as const) {
    writeFileSync(join(directory, `${name}.jsonl`), found[name].map((row) => `${JSON.stringify(row)}\n`).join(''));
  }
  return directory;
}
