import type { Breach, JobStory } from './story.js';

/** R1: a completed job has all of its records, and no other. */
export function losesNothing({ bad, id, items, size, state }: JobStory): Breach[] {
  if (state !== 'completed') return [];
  const times = new Array<number>(size).fill(0);
  const foreign = items.filter(({ first, last }) => !(first >= 0 && first <= last && last < size));
  for (const { first, last } of items) for (let at = first; at <= last && at < size; at++) times[at] = 1;
  const lost = times.flatMap((count, at) => (count === 0 && !bad.has(at) ? [at] : []));
  const breaches: Breach[] = [];
  if (lost.length > 0) {
    const around = items.filter(({ last }) => Math.abs(last - (lost[0] as number)) <= 3);
    breaches.push({
      rule: 'R1',
      job: id,
      message: `${lost.length} of ${size} records are lost: ${lost.slice(0, 10)}`,
      evidence: around,
    });
  }
  if (foreign.length > 0)
    breaches.push({
      rule: 'R1',
      job: id,
      message: `${foreign.length} items are none of its ${size} records`,
      evidence: foreign.slice(0, 5),
    });
  return breaches;
}

/** Every job completes, unless it was cancelled. */
export function completes({ id, requests, rows, state }: JobStory): Breach[] {
  if (state === 'completed' || (state === 'cancelled' && requests.some(({ type }) => type === 'cancel'))) return [];
  return [{ rule: 'R1, R18', job: id, message: `the job is ${state}, not completed`, evidence: rows.slice(-8) }];
}

/** R1: within a run, each item follows the item before. */
export function keepsOrder({ bad, id, runs }: JobStory): Breach[] {
  return runs.flatMap(({ id: run, items }) =>
    items.flatMap((item, index) => {
      const before = items[index - 1];
      if (!before || item.first === after(before.last, bad)) return [];
      const message = `run ${run}: record ${item.first} follows record ${before.last}`;
      return [{ rule: 'R1', job: id, message, evidence: items.slice(Math.max(0, index - 3), index + 3) }];
    }),
  );
}

/** R1, R2: a run starts no later than the record after the furthest finished one. */
export function leavesNoGap({ bad, first, id, items, runs }: JobStory): Breach[] {
  const breaches: Breach[] = [];
  const firsts = new Map(runs.flatMap((run) => (run.items[0] ? [[run.items[0].seq, run] as const] : [])));
  let furthest = first - 1;
  for (const item of items) {
    const run = firsts.get(item.seq);
    if (run && item.first > after(furthest, bad)) {
      const message = `run ${run.id} begins at record ${item.first}, and the furthest before was ${furthest}`;
      const evidence = items.filter(({ seq }) => Math.abs(seq - item.seq) < 50).slice(0, 12);
      breaches.push({ rule: 'R1, R2', job: id, message, evidence });
    }
    furthest = Math.max(furthest, item.last);
  }
  return breaches;
}

/** R25: in order and exactly once, over all runs. */
export function happensOnce({ bad, exactlyOnce, first: begin, id, items }: JobStory): Breach[] {
  if (!exactlyOnce) return [];
  const wrong = items.findIndex(({ first }, index) => first !== after(items[index - 1]?.last ?? begin - 1, bad));
  if (wrong < 0) return [];
  const message = `effect of record ${items[wrong]?.first} follows that of ${items[wrong - 1]?.last ?? 'none'}`;
  return [{ rule: 'R25', job: id, message, evidence: items.slice(Math.max(0, wrong - 4), wrong + 4) }];
}

/** The record that is handled next. */
function after(position: number, bad: ReadonlySet<number>): number {
  let next = position + 1;
  while (bad.has(next)) next++;
  return next;
}
