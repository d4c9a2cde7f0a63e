import type { Json } from '../../cursor.js';
import type { ExactPart } from './key.part.js';

/** One end of a range of a key. */
export interface End {
  readonly side: 'after' | 'until';
  /** One value a part, with the names of the parameters that hold them. */
  readonly values: readonly Json[];
  readonly parameters: readonly string[];
  /** Whether the database plans `(a, b) > (1, 2)` as one range of an index. */
  readonly rowValues: boolean;
}

/** SQL for the rows after a key, or for those up to and including it. */
export function compare(parts: readonly ExactPart[], { side, values, parameters, rowValues }: End): string {
  const terms = parts.map((part, index) =>
    termOf(part, { side, value: values[index] as Json, parameter: `:${parameters[index]}` }),
  );
  const [first, last] = [terms[0] as Term, terms.at(-1) as Term];
  if (terms.length === 1) return side === 'until' ? first.from : first.beyond;
  const isUniform = parts.every(({ descending, nulls }) => !nulls && descending === parts[0]?.descending);
  if (rowValues && isUniform) {
    const row = (of: (term: Term) => string) => `(${terms.map(of).join(', ')})`;
    const operator = side === 'until' ? `${first.operator}=` : first.operator;
    return `${row(({ compared }) => compared)} ${operator} ${row(({ placeholder }) => placeholder)}`;
  }
  const columnByColumn = terms
    .slice(0, -1)
    .reduceRight(
      (rest, { beyond, equal }) => `(${beyond} OR (${equal} AND ${rest}))`,
      side === 'until' ? last.from : last.beyond,
    );
  // The first term follows from the rest. The database can enter an index by it, which an OR does not allow.
  return `${first.from} AND ${columnByColumn}`;
}

/** Conditions on one column of a key, against one value. */
interface Term {
  readonly compared: string;
  readonly operator: string;
  readonly placeholder: string;
  readonly equal: string;
  /** On the far side of the value. */
  readonly beyond: string;
  /** {@link equal} or {@link beyond}. */
  readonly from: string;
}

const NONE = '1 = 0';
const ALL = '1 = 1';

function termOf(
  { sql, compared, descending, nulls, parameter: write, sortsWithoutEnd }: ExactPart,
  { side, value, parameter }: { side: End['side']; value: Json; parameter: string },
): Term {
  const operator = descending === (side === 'after') ? '<' : '>';
  const placeholder = write(parameter, value);
  const nullsBeyond = nulls !== undefined && (nulls === 'last') === (side === 'after');
  const term = { compared, operator, placeholder };
  if (value === null) {
    const [beyond, from] = nullsBeyond ? [NONE, `${sql} IS NULL`] : [`${sql} IS NOT NULL`, ALL];
    return { ...term, equal: `${sql} IS NULL`, beyond, from };
  }
  const orNull = (condition: string) => (nullsBeyond ? `(${condition} OR ${sql} IS NULL)` : condition);
  if (sortsWithoutEnd && side === 'after' && descending) {
    // The sort may put a longer text, which ends with characters of code 0, after it. Such a row is read, and then refused.
    const top = `${parameter}_top`;
    return {
      ...term,
      equal: `${compared} = ${placeholder}`,
      beyond: orNull(`(${compared} < ${placeholder} OR (${compared} > ${placeholder} AND ${compared} < ${top}))`),
      from: orNull(`${compared} <= ${top}`),
    };
  }
  return {
    ...term,
    equal: `${compared} = ${placeholder}`,
    beyond: orNull(`${compared} ${operator} ${placeholder}`),
    from: orNull(`${compared} ${operator}= ${placeholder}`),
  };
}
