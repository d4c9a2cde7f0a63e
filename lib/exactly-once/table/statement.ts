import type { Dialect } from '../../sql.dialect.js';

/** SQL, and its values. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly Value[];
}
export type Value = string | number;

/** SQL with values in it, before it is written for a dialect. */
export class Fragment {
  constructor(
    readonly texts: readonly string[],
    readonly parts: readonly (Value | Fragment)[],
  ) {}
}

/** Each string and number in the template is a value, never SQL. */
export function sql(texts: TemplateStringsArray, ...parts: readonly (Value | Fragment)[]): Fragment {
  return new Fragment(texts, parts);
}

/** SQL that is put into a template unchanged. */
export function raw(text: string): Fragment {
  return new Fragment([text], []);
}

/** Each value has a type for PostgreSQL. Without one it expects the column's type, and drivers send different types. */
export function compile(dialect: Dialect, fragment: Fragment): Statement {
  const values: Value[] = [];
  const write = (part: Value | Fragment): string => {
    if (part instanceof Fragment) {
      return part.texts
        .map((text, index) => text + (index in part.parts ? write(part.parts[index] as Value) : ''))
        .join('');
    }
    values.push(part);
    if (dialect !== 'postgresql') return '?';
    return `$${values.length}::${typeof part === 'number' ? 'bigint' : 'text'}`;
  };
  const text = write(fragment);
  return { sql: text.trim(), values };
}
