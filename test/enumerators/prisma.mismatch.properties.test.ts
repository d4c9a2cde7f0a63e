import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cursor } from '../../lib/cursor.js';
import { PrismaEnumeratorBuilder } from '../../lib/enumerators/prisma/prisma.enumerator.js';
import { IterationError } from '../../lib/iteration.errors.js';
import { CASES } from '../support/cases.js';
import { type MixedWorld, type OrderPart, openMixed } from '../support/prisma/mixed.js';
import { type DatabaseName, type MixedColumn, REAL_TYPES, type RealType } from '../support/prisma/mixed.types.js';
import { reportProperty } from '../support/property-report.js';

const SEED = Number(process.env.PROPERTY_SEED ?? 20_261_128);
const DATABASES: readonly DatabaseName[] = process.env.MARIADB_URL
  ? ['postgresql', 'mariadb', 'sqlite']
  : ['postgresql', 'sqlite'];
const MAYBE_NULL = ['maybe', 'note'];

interface Case {
  readonly columns: readonly MixedColumn[];
  readonly rows: readonly (readonly string[])[];
  readonly key: readonly OrderPart[];
  readonly pageSize: number;
  readonly stops: readonly number[];
}

type Outcome = 'exact' | 'refused' | 'refused later' | 'unreadable';

describe.each(DATABASES)('prisma over tables that differ from the model, on %s', (database) => {
  let world: MixedWorld;

  beforeAll(async () => {
    world = await openMixed(database);
  }, 120_000);

  afterAll(() => world.drop());

  it(`R1: prisma.records reads ${CASES} random tables exactly or refuses them`, { timeout: 600_000 }, async () => {
    const outcomes = { exact: 0, refused: 0, 'refused later': 0, unreadable: 0 };
    const property = fc.asyncProperty(caseOf(database), async (generated) => {
      await world.make(generated.columns, generated.rows);
      outcomes[await outcomeOf(world, generated)]++;
    });
    await fc.assert(property, { numRuns: CASES, seed: SEED, endOnFailure: false });
    expect(outcomes.exact).toBeGreaterThan(CASES / 10);
    expect(outcomes.refused).toBeGreaterThan(CASES / 10);
    reportProperty({ source: 'prisma.records', database, property: 'mismatched tables', cases: CASES, ...outcomes });
  });
});

async function outcomeOf(world: MixedWorld, { key, pageSize, stops }: Case): Promise<Outcome> {
  const last = key.at(-1)?.order ?? 'asc';
  const order = key.some(({ column }) => column === 'id') ? key : [...key, { column: 'id', order: last }];
  const expected = await world.ids(order);
  const taken: number[] = [];
  try {
    let cursor: Cursor = null;
    for (const stop of [...stops, Number.POSITIVE_INFINITY]) {
      let items = 0;
      const options = { cursor, key: [...key], pageSize };
      const rows = new PrismaEnumeratorBuilder().records(world.delegate, { select: { id: true } }, options);
      for await (const [{ id }, at] of rows) {
        taken.push(id);
        cursor = JSON.parse(JSON.stringify(at)) as Cursor;
        if (++items >= stop || taken.length > expected.length) break;
      }
    }
  } catch (error) {
    return refusalOf(error as Error, { taken, expected });
  }
  expect(taken).toEqual(expected);
  return 'exact';
}

/** The rows before an error must be right, whatever the error. */
function refusalOf(
  error: Error,
  { taken, expected }: { taken: readonly number[]; expected: readonly number[] },
): Outcome {
  expect(taken).toEqual(expected.slice(0, taken.length));
  if (error instanceof IterationError) return taken.length === 0 ? 'refused' : 'refused later';
  if (error.name.startsWith('PrismaClient')) return 'unreadable';
  throw error;
}

function caseOf(database: DatabaseName): fc.Arbitrary<Case> {
  const types = REAL_TYPES[database];
  const fields = Object.keys(types).filter((field) => field !== 'id');
  const real = (field: string) => {
    const [declared, ...others] = types[field] ?? [];
    return fc.oneof(
      { weight: 1, arbitrary: fc.constant(declared as RealType) },
      { weight: 2, arbitrary: fc.constantFrom(declared as RealType, ...others) },
    );
  };
  const column = (field: string): fc.Arbitrary<MixedColumn> =>
    fc.record({
      field: fc.constant(field),
      type: real(field),
      nullable: field === 'id' ? fc.constant(false) : fc.constantFrom(true, false, false, false),
    });
  const id = fc.oneof(
    { weight: 6, arbitrary: fc.constant({ field: 'id', type: types.id?.[0], nullable: false } as MixedColumn) },
    { weight: 1, arbitrary: column('id') },
  );
  const columns = fc
    .shuffledSubarray(fields, { minLength: 1, maxLength: 2 })
    .chain((names) => fc.tuple(id, ...names.map(column)));
  return columns.chain((made) =>
    fc.record({
      columns: fc.constant(made),
      rows: rowsOf(made),
      key: fc.tuple(...made.slice(1).map(partOf)),
      pageSize: fc.constantFrom(1, 2, 3, 5, 1_000),
      stops: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
    }),
  );
}

function partOf({ field }: MixedColumn): fc.Arbitrary<OrderPart> {
  return fc.record({
    column: fc.constant(field),
    order: fc.constantFrom('asc' as const, 'desc' as const),
    ...(MAYBE_NULL.includes(field) && { nulls: fc.constantFrom('first' as const, 'last' as const) }),
  });
}

function rowsOf(columns: readonly MixedColumn[]): fc.Arbitrary<readonly (readonly string[])[]> {
  const values = columns
    .slice(1)
    .map(({ type, nullable }) => (nullable ? fc.option(type.values, { freq: 6, nil: 'NULL' }) : type.values));
  const ids = fc.shuffledSubarray(
    Array.from({ length: 30 }, (_, index) => index - 2),
    { minLength: 4, maxLength: 14 },
  );
  return ids.chain((chosen) =>
    fc.tuple(...chosen.map((id) => fc.tuple(fc.constant(`${id}`), ...values) as fc.Arbitrary<string[]>)),
  );
}
