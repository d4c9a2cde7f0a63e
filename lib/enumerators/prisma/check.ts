import type { Json } from '../../cursor.js';
import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { KeyValues } from '../contract/index.js';
import type { OpenedModel } from './client.js';
import type { KeyField } from './key.js';
import { matchOf } from './real.types.js';
import { columnOf, tableOf } from './sql.js';
import { type RealColumn, realColumns } from './table.js';
import { hasMicroseconds } from './timestamp.js';

/**
 * Compares the model's key with the table, before the first page. The table decides.
 *
 * @param options.isRead Whether every row's key is read, and not only the last key of a batch.
 * @param options.given The values of the cursors that were given.
 * @returns The key with what the database adds: the order of enums, the sorted length of texts, and which times a Date
 * holds.
 * @throws InvalidEnumeratorError for a column that the table does not have, or that has another type than in the model.
 * Also for one that may hold NULL although the field is required, and for one with values that cannot be paged.
 */
export async function checkedKey(
  opened: OpenedModel,
  key: readonly KeyField[],
  { isRead, given }: { readonly isRead: boolean; readonly given: readonly KeyValues[] },
): Promise<readonly KeyField[]> {
  const columns = await realColumns(opened);
  if (!columns) return key;
  const checked: KeyField[] = [];
  for (const [index, part] of key.entries()) {
    checked.push(await checkedField(opened, part, { columns, isRead, given: given.map((values) => values[index]) }));
  }
  return checked;
}

interface CheckOptions {
  readonly columns: ReadonlyMap<string, RealColumn>;
  readonly isRead: boolean;
  readonly given: readonly (Json | undefined)[];
}

async function checkedField(
  opened: OpenedModel,
  part: KeyField,
  { columns, isRead, given }: CheckOptions,
): Promise<KeyField> {
  const { model, source } = opened;
  const { field } = part;
  const found = columns.get(field.column);
  const where = `${source}: the key field "${field.name}" of ${model.name}`;
  if (!found) {
    throw new InvalidEnumeratorError(
      `${where}: the database shows no column "${field.column}" in the table "${model.table.name}". ` +
        'Does it exist, and may this user see it?',
    );
  }
  const declared = field.native ? `${field.type} @db.${field.native}` : field.type;
  const match = matchOf(model.dialect, field, found, columnOf(opened, field));
  if (match.mismatch) {
    throw new InvalidEnumeratorError(
      `${where} is ${declared} in the model, and the column "${field.column}" is ${found.shown} in the table: ` +
        `${match.mismatch}. Change one of the two, or choose another key field: { key: [...] }`,
    );
  }
  if (!part.nulls) await refuseNulls(opened, part, { where, found });
  if (match.strange && (await holds(opened, match.strange))) {
    throw new InvalidEnumeratorError(
      `${where} is ${declared}, and the column "${field.column}" (${found.shown}) holds values that are not sorted as they ` +
        `are compared or read: SELECT * FROM ${tableOf(opened)} WHERE ${match.strange}. Correct them, or choose another key field`,
    );
  }
  if (match.sorted && !isRead) await refuseLongTexts(opened, part, { where, sorted: match.sorted });
  const isFiner = given.some((value) => hasMicroseconds(String(value)));
  const isWhole = part.rounded && found.offset !== undefined && !opened.isExtended && !isFiner;
  return {
    ...part,
    ...(match.sorted && { sorted: match.sorted }),
    ...(isWhole && { rounded: false, offset: found.offset }),
    ...valuesOf(part, found),
  };
}

async function refuseNulls(
  opened: OpenedModel,
  { field, order }: KeyField,
  { where, found }: { where: string; found: RealColumn },
): Promise<void> {
  if (found.nullable === false) return;
  if (found.nullable === undefined && !(await holds(opened, `${columnOf(opened, field)} IS NULL`))) return;
  throw new InvalidEnumeratorError(
    `${where} is required in the model, and the column "${field.column}" ${found.nullable ? 'may hold' : 'holds'} NULL in ` +
      'the table, whose rows would be lost. Make it NOT NULL there, or make the field optional and state the position ' +
      `of these rows: { key: [{ column: '${field.name}', order: '${order}', nulls: 'last' }] }`,
  );
}

async function refuseLongTexts(
  opened: OpenedModel,
  { field }: KeyField,
  { where, sorted }: { where: string; sorted: number },
): Promise<void> {
  if (!(await holds(opened, `CHAR_LENGTH(${columnOf(opened, field)}) > ${sorted}`))) return;
  throw new InvalidEnumeratorError(
    `${where} holds texts of more than ${sorted} characters, and the database sorts long texts only by their beginning. ` +
      'Choose another key field',
  );
}

/** An enum's values in the database's order, which the schema's need not be. */
function valuesOf({ field }: KeyField, { labels }: RealColumn): { readonly values?: readonly string[] } {
  if (!field.values) return {};
  const names = new Map([...field.values].map(([name, label]) => [label, name]));
  return { values: (labels ?? []).map((label) => names.get(label) ?? label) };
}

async function holds(opened: OpenedModel, condition: string): Promise<boolean> {
  const sql = `SELECT 1 AS one FROM ${tableOf(opened)} WHERE ${condition} LIMIT 1`;
  return ((await opened.base.$queryRawUnsafe(sql)) as readonly unknown[]).length > 0;
}
