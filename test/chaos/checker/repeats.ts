import { awakeMs, type Breach, type ItemRow, isAct, type JobStory, type Run, type World } from './story.js';

/** The items of an earlier run that a later run repeated. */
export interface Repeat {
  readonly job: string;
  readonly of: Run;
  readonly by: Run;
  readonly rows: readonly ItemRow[];
  readonly records: number;
  /** Time from the first to the last repeated item, without the time that the process was frozen. */
  readonly ms: number;
  /** The longest step within: the item in flight. */
  readonly stepMs: number;
}

/** Every repeat of a job: for each pair of runs, the items of the earlier run that the later run repeated. */
export function repeatsOf({ id, runs }: JobStory, world: World): readonly Repeat[] {
  const working = runs.filter(({ items }) => items.length > 0);
  return working.flatMap((by, index) => {
    const from = (by.items[0] as ItemRow).first;
    return working.slice(0, index).flatMap((of) => {
      // items of the earlier run are in order: its tail is repeated
      const rows = of.items.slice(firstIndex(of.items, from));
      return rows.length === 0 ? [] : [repeatOf({ job: id, of, by, rows }, world)];
    });
  });
}

function repeatOf(repeat: Pick<Repeat, 'job' | 'of' | 'by' | 'rows'>, world: World): Repeat {
  const { of, rows } = repeat;
  const awake = (from: ItemRow, to: ItemRow) => awakeMs(world, of.worker, { from: from.at, to: to.at });
  const [first, last] = [rows[0] as ItemRow, rows.at(-1) as ItemRow];
  return {
    ...repeat,
    records: last.last - first.first + 1,
    ms: awake(first, last),
    stepMs: rows.reduce((longest, row, index) => Math.max(longest, awake(rows[index - 1] ?? row, row)), 0),
  };
}

function firstIndex(items: readonly ItemRow[], from: number): number {
  let low = 0;
  for (let high = items.length; low < high; ) {
    const middle = (low + high) >> 1;
    if ((items[middle] as ItemRow).first < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * R1, R18: nothing is repeated of a run that called `end`; of any other run, only the items since its last checkpoint.
 */
export function repeatsLittle(job: JobStory, world: World): Breach[] {
  if (job.exactlyOnce) return [];
  return repeatsOf(job, world).flatMap((repeat) => {
    const { of, by, rows, records, ms, stepMs } = repeat;
    const evidence = [...rows.slice(0, 3), ...rows.slice(-3), ...of.ends, ...by.rows.slice(0, 3)];
    if (of.ends.length > 0) {
      const message = `${records} records of run ${of.id} were repeated by ${by.id}, though it ended in order`;
      return [{ rule: 'R1', job: job.id, message, evidence }];
    }
    if (ms <= world.rules.checkpointMs + stepMs) return [];
    const message =
      `${records} records in ${Math.round(ms)} ms of run ${of.id} were repeated by ${by.id}; a checkpoint is due after ` +
      `${world.rules.checkpointMs} ms and the item in flight (${Math.round(stepMs)} ms)`;
    return [{ rule: 'R18', job: job.id, message, evidence }];
  });
}

/** R20: the rows that a run wrote after a later run had begun: at most its item in flight. */
export function lateRowsOf({
  runs,
}: JobStory): readonly { readonly run: Run; readonly rows: readonly Run['rows'][number][] }[] {
  return runs.flatMap((run, index) => {
    const next = runs[index + 1]?.rows.find(isAct);
    const rows = next ? run.rows.filter((row) => isAct(row) && row.seq > next.seq) : [];
    return rows.length > 0 ? [{ run, rows }] : [];
  });
}

/** R20: one item or hook may be in flight when the lock is lost; the run starts nothing after it. */
export function yieldsToItsSuccessor(job: JobStory): Breach[] {
  return lateRowsOf(job).flatMap(({ run, rows }) => {
    if (rows.length <= 1) return [];
    const message = `run ${run.id} continued after the next had begun: ${rows.slice(0, 10).map(({ type }) => type)}`;
    const next = job.runs[job.runs.indexOf(run) + 1];
    const evidence = [
      ...run.rows.filter((row) => !rows.includes(row)).slice(-3),
      ...(next?.rows.slice(0, 4) ?? []),
      ...rows.slice(0, 6),
    ];
    return [{ rule: 'R20', job: job.id, message, evidence: evidence.sort((one, other) => one.seq - other.seq) }];
  });
}
