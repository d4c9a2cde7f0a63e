import type { Dialect } from '../../sql.dialect.js';

/** SQL with its values apart. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly Value[];
}
export type Value = string | number;

/** A piece of SQL with values in it, in no dialect yet. */
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

/** SQL that is put into a template as it is. */
export function raw(text: string): Fragment {
  return new Fragment([text], []);
}

/** PostgreSQL gets each value's type: by itself it would ask for the column's, and each driver sends another. */
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
