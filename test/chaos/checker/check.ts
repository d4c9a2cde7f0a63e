import type { LedgerRow, RecordRow } from '../ledger.js';
import { type Figures, figuresOf } from './figures.js';
import { callsHooks } from './hooks.js';
import { completes, happensOnce, keepsOrder, leavesNoGap, losesNothing } from './items.js';
import { jobsOf } from './lives.js';
import { endsOnSignal, usesNoAttempts } from './processes.js';
import { repeatsLittle, yieldsToItsSuccessor } from './repeats.js';
import { endsAsAsked, keepsTunedRate, lostRequests, stopsWhenAsked } from './requests.js';
import { type Breach, type Rules, worldOf } from './story.js';

export interface Checked {
  readonly breaches: readonly Breach[];
  readonly figures: Figures;
}

const RULES = [
  completes,
  losesNothing,
  keepsOrder,
  leavesNoGap,
  happensOnce,
  repeatsLittle,
  yieldsToItsSuccessor,
  callsHooks,
  stopsWhenAsked,
  endsAsAsked,
  keepsTunedRate,
  usesNoAttempts,
];

/** Checks the contract, only from the workers' ledger and the record of the disturbances. */
export function check({
  ledger,
  record,
  rules,
}: {
  readonly ledger: readonly LedgerRow[];
  readonly record: readonly RecordRow[];
  readonly rules: Rules;
}): Checked {
  const world = worldOf(record, rules);
  const jobs = jobsOf(ledger, record);
  const breaches = jobs.flatMap((job) => RULES.flatMap((rule) => rule(job, world)));
  return {
    breaches: [...breaches, ...lostRequests(record), ...endsOnSignal(world)],
    figures: figuresOf(jobs, record, world),
  };
}
