import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { OpenedModel } from './client.js';
import type { KeyField } from './key.js';
import { tableOf } from './sql.js';

const LABELS = `SELECT e.enumlabel::text AS label FROM pg_enum e JOIN pg_attribute a ON a.atttypid = e.enumtypid
  WHERE a.attrelid = CAST($1 AS regclass) AND a.attname = $2 ORDER BY e.enumsortorder`;

/**
 * The key with the values of its enums in the database's order, which the schema's need not be.
 *
 * @throws InvalidEnumeratorError when the column is of no enum of PostgreSQL's.
 */
export async function withEnumOrders(opened: OpenedModel, key: readonly KeyField[]): Promise<readonly KeyField[]> {
  return Promise.all(
    key.map(async (part) => (part.field.values ? { ...part, values: await valuesOf(opened, part) } : part)),
  );
}

async function valuesOf(opened: OpenedModel, { field }: KeyField): Promise<readonly string[]> {
  const { $parent: client } = opened.delegate;
  const rows = (await client.$queryRawUnsafe(LABELS, tableOf(opened), field.column)) as readonly { label: string }[];
  const names = new Map([...(field.values ?? [])].map(([name, label]) => [label, name]));
  if (rows.length > 0) return rows.map(({ label }) => names.get(label) ?? label);
  throw new InvalidEnumeratorError(
    `${opened.source}: the column ${field.column} of ${opened.model.name} is no enum of PostgreSQL's, so the order of its values ` +
      'is unknown. Use other fields: { key: [...] }',
  );
}
