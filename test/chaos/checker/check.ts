import type { LedgerRow, RecordRow } from '../ledger.js';
import { type Figures, figuresOf } from './figures.js';
import { callsHooks } from './hooks.js';
import { completes, happensOnce, keepsOrder, leavesNoGap, losesNothing } from './items.js';
import { jobsOf } from './lives.js';
import {
  callsHooksOfParent,
  countsItsParts,
  endsAsPlanned,
  handlesEachRecord,
  settlesLast,
  showsProgress,
  splitsOnce,
  waitsForPartsOnly,
} from './parents.js';
import { callsHooksOfPart, endsOnce } from './parts.js';
import { endsOnSignal, usesNoAttempts } from './processes.js';
import { repeatsLittle, yieldsToItsSuccessor } from './repeats.js';
import { endsAsAsked, keepsTunedRate, lostRequests, stopsWhenAsked } from './requests.js';
import { type Breach, type Rules, worldOf } from './story.js';

export interface Checked {
  readonly breaches: readonly Breach[];
  readonly figures: Figures;
}

const OF_WHOLE = [
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
const OF_PARENT = [
  endsAsPlanned,
  handlesEachRecord,
  splitsOnce,
  callsHooksOfParent,
  settlesLast,
  showsProgress,
  waitsForPartsOnly,
  countsItsParts,
  endsAsAsked,
  keepsTunedRate,
  usesNoAttempts,
];
const OF_PART = [
  keepsOrder,
  leavesNoGap,
  happensOnce,
  repeatsLittle,
  yieldsToItsSuccessor,
  callsHooksOfPart,
  endsOnce,
  stopsWhenAsked,
  keepsTunedRate,
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
  const jobs = jobsOf(ledger, record, rules);
  const breaches = jobs.flatMap((job) => {
    if (!('parts' in job)) return OF_WHOLE.flatMap((rule) => rule(job, world));
    return [
      ...OF_PARENT.flatMap((rule) => rule(job, world)),
      ...job.parts.flatMap((part) => OF_PART.flatMap((rule) => rule(part, world))),
    ];
  });
  return {
    breaches: [...breaches, ...lostRequests(record), ...endsOnSignal(world)],
    figures: figuresOf(jobs, record, world),
  };
}
