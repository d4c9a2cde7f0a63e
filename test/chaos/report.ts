import type { ChaosOutcome } from './chaos.js';
import type { LedgerRow } from './ledger.js';

/** Number of breaches that are printed in full; the evidence has the others. */
const PRINTED = 10;

/** Prints the figures and the breaches. */
export function report({ breaches, evidence, figures }: ChaosOutcome): void {
  const width = Math.max(...Object.keys(figures).map(({ length }) => length));
  for (const [name, figure] of Object.entries(figures))
    console.log(`  ${name.padEnd(width)}  ${String(figure).padStart(8)}`);
  if (breaches.length === 0) console.log('  no breach of the contract');
  else printBreaches(breaches);
  if (evidence) console.log(`\nLedger, record and the workers' log: ${evidence}`);
}

function printBreaches(breaches: ChaosOutcome['breaches']): void {
  for (const { rule, job, message, evidence: rows } of breaches.slice(0, PRINTED)) {
    console.log(`\n${rule} is broken: ${job ? `job ${job}: ` : ''}${message}`);
    for (const row of rows) console.log(`    ${lineOf(row)}`);
  }
  console.log(`\n${breaches.length} breaches`);
}

function lineOf({ at, detail, first, last, run, seq, type }: LedgerRow): string {
  const span = first === null ? '' : first === last ? ` ${first}` : ` ${first}..${last}`;
  return `${String(seq).padStart(7)} ${new Date(at).toISOString().slice(11, 23)} ${run} ${type}${span} ${detail ?? ''}`;
}
