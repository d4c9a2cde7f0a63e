import type { Json } from '../../cursor.js';
import type { ColumnOrder } from '../contract/index.js';

/** One column of a key, before the database is asked. */
export interface KeyPart {
  readonly name: string;
  /** Its name in the table. */
  readonly column: string;
  readonly sql: string;
  /** Its type by the entity. */
  readonly declared: string;
  readonly descending: boolean;
  /** The position of NULLs; undefined: it has none. */
  readonly nulls: 'first' | 'last' | undefined;
  /** The name of the column in a raw row, as the driver reads it; undefined: the query does not select it. */
  readonly plain: string | undefined;
  /** The name of an expression for it in a raw row. */
  readonly hidden: string;
}

/** One column of a key, whose type in the table is known. */
export interface ExactPart extends KeyPart, ColumnOrder {
  readonly nulls: 'first' | 'last' | undefined;
  /** Its type in the table, in words. */
  readonly type: string;
  /** The expression that is compared with a value. */
  readonly compared: string;
  /** What must also be selected to have the exact value in a raw row; undefined: the query selects it. */
  readonly selection: string | undefined;
  /** The name of the exact value in a raw row. */
  readonly alias: string;
  read(value: unknown): Json | undefined;
  /** Why some values are not exact; may be empty. */
  readonly because: string;
  /** Whether a value of a cursor can be one of `read`. */
  accepts(value: Json): boolean;
  /** SQL for a value that is bound to a parameter, such as `:name`. */
  parameter(parameter: string, value: Json): string;
  /** See {@link ExactValue.sortsWithoutEnd}. */
  readonly sortsWithoutEnd: boolean;
}

/** Whether a JavaScript number holds all values of a column of this type. */
export function isDeclaredInteger(declared: string): boolean {
  return ['tinyint', 'smallint', 'mediumint', 'int', 'integer', 'int2', 'int4'].includes(declared);
}
