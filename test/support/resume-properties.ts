import { appendFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import type { At, Enumerator } from '../../lib/enumerators/contract/index.js';
import { CASES } from './cases.js';

/** Number of random cases per property; the seed reproduces a failure. */
const SEED = Number(process.env.PROPERTY_SEED ?? 20_261_121);

/** What a source must return, computed from a plain sorted array. */
export interface Model {
  /** The identities of the unfinished records, in order. */
  rest(): readonly unknown[];
  /** Finishes the first records of {@link rest}. */
  finish(records: number): void;
  /** Called between two runs: changes the source and the model in the same way. */
  change?(run: number): Promise<void>;
}

/** One generated case. */
export interface Scenario<Item> {
  readonly model: Model;
  /** Builds the enumerator for a run, as a processor does. */
  build(at: At): Enumerator<Item> | Promise<Enumerator<Item>>;
  /** How many items each run finishes before its interruption. A last run goes to the end. */
  readonly stops: readonly number[];
}

export interface Property<Item, Case> {
  readonly source: string;
  readonly database?: string;
  readonly cases: fc.Arbitrary<Case>;
  begin(generated: Case): Promise<Scenario<Item>>;
  /** Identifies the records of an item; by default the item is one record. */
  records?(item: Item): readonly unknown[] | Promise<readonly unknown[]>;
}

/**
 * R1 over random cases: interrupted anywhere, any number of times, and changed between runs, a source returns exactly
 * the rest of the model. Reports the tried cases for the table at the end of the tests.
 */
export function itResumesExactly<Item, Case>(name: string, property: Property<Item, Case>): void {
  const { source, database = '-', records = (item: Item) => [item] } = property;
  it(`R1: ${name}: resumes exactly in ${CASES} random cases`, { timeout: 600_000 }, async () => {
    const tried = { cases: 0, runs: 0, records: 0 };
    const property_ = fc.asyncProperty(property.cases, async (generated) => {
      tried.cases++;
      const scenario = await property.begin(generated);
      const { runs, finished } = await follow(scenario, records);
      tried.runs += runs;
      tried.records += finished;
    });
    await fc.assert(property_, { numRuns: CASES, seed: SEED, endOnFailure: false });
    report({ source, database, property: name, ...tried });
  });
}

async function follow<Item>(
  { build, model, stops }: Scenario<Item>,
  recordsOf: (item: Item) => readonly unknown[] | Promise<readonly unknown[]>,
): Promise<{ runs: number; finished: number }> {
  let cursor: Cursor = null;
  let finished = 0;
  for (const [run, stop] of [...stops, Number.POSITIVE_INFINITY].entries()) {
    const rest = model.rest();
    const taken: unknown[] = [];
    let items = 0;
    if (stop > 0) {
      for await (const [item, at] of await build({ cursor })) {
        taken.push(...(await recordsOf(item)));
        cursor = JSON.parse(JSON.stringify(at)) as Cursor;
        if (++items >= stop || taken.length > rest.length) break;
      }
    }
    const expected = stop === Number.POSITIVE_INFINITY || items < stop ? rest : rest.slice(0, taken.length);
    if (!isDeepStrictEqual(taken, expected)) expect({ run, taken }).toEqual({ run, taken: expected });
    model.finish(taken.length);
    finished += taken.length;
    await model.change?.(run);
  }
  return { runs: stops.length + 1, finished };
}

function report(line: Readonly<Record<string, string | number>>): void {
  const path = process.env.PROPERTY_REPORT;
  if (path) appendFileSync(path, `${JSON.stringify(line)}\n`);
}
