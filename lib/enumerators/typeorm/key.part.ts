import type { Json } from '../../cursor.js';
import type { ColumnOrder } from '../contract/index.js';

/** One column of a key, as far as it is known before the database is asked. */
export interface KeyPart {
  readonly name: string;
  /** Its name in the table. */
  readonly column: string;
  readonly sql: string;
  /** Its type by the entity. */
  readonly declared: string;
  readonly descending: boolean;
  /** Where NULLs stand; undefined: it has none. */
  readonly nulls: 'first' | 'last' | undefined;
  /** Where the column as the driver reads it stands in a raw row; undefined: the query does not select it. */
  readonly plain: string | undefined;
  /** Where an expression for it would stand in a raw row. */
  readonly hidden: string;
}

/** One column of a key, whose type in the table is known. */
export interface ExactPart extends KeyPart, ColumnOrder {
  readonly nulls: 'first' | 'last' | undefined;
  /** Its type in the table, in words. */
  readonly type: string;
  /** What is compared with a value of it. */
  readonly compared: string;
  /** What has to be selected besides, to have the exact value in a raw row; undefined: it is there anyway. */
  readonly selection: string | undefined;
  /** Where the exact value stands in a raw row. */
  readonly alias: string;
  read(value: unknown): Json | undefined;
  /** Why `read` finds some values not exact; may be empty. */
  readonly because: string;
  /** Whether a value of a cursor can be one of `read`. */
  accepts(value: Json): boolean;
  /** SQL for a value that is bound to a parameter, such as `:name`. */
  parameter(parameter: string, value: Json): string;
  /** See {@link ExactValue.sortsWithoutEnd}. */
  readonly sortsWithoutEnd: boolean;
}

/** Whether an entity says of a column that a JavaScript number holds all its values. */
export function isDeclaredInteger(declared: string): boolean {
  return ['tinyint', 'smallint', 'mediumint', 'int', 'integer', 'int2', 'int4'].includes(declared);
}
