import { InvalidEnumeratorError } from '../../iteration.errors.js';
import type { Query } from './select.js';

/**
 * A raw row has one value per name. TypeORM names a column `alias_column`, so `a.b_id` and `a_b.id` have the same name, and
 * one of them would have the value of the other.
 *
 * @throws InvalidEnumeratorError
 */
export function checkAliases(query: Query<unknown>, source: string): void {
  const { aliases } = query.expressionMap;
  const twice = aliases.find(({ name }, index) => aliases.findIndex((alias) => alias.name === name) < index);
  if (twice) {
    throw new InvalidEnumeratorError(`${source}: the query has two aliases "${twice.name}". Give each join its own`);
  }
  const columns = new Map<string, string>();
  for (const [name, column] of selectedNames(query)) {
    const other = columns.get(name);
    if (other !== undefined && other !== column) {
      throw new InvalidEnumeratorError(
        `${source}: the query selects two columns as "${name}": ${other} and ${column}. Rename an alias of it`,
      );
    }
    columns.set(name, column);
  }
}

/** The names of what a query selects, each with the column or expression. */
function* selectedNames({ expressionMap }: Query<unknown>): Generator<readonly [name: string, column: string]> {
  const { aliases, selects } = expressionMap;
  for (const { selection, aliasName } of selects) if (aliasName) yield [aliasName, selection];
  for (const { name, metadata } of aliases.filter(({ hasMetadata }) => hasMetadata)) {
    const isWhole = selects.some(({ selection }) => selection === name);
    for (const { propertyPath, databaseName, isSelect } of metadata.columns) {
      const isNamed = selects.some(({ selection, aliasName }) => selection === `${name}.${propertyPath}` && !aliasName);
      if ((isWhole && isSelect) || isNamed) yield [`${name}_${databaseName}`, `${name}.${databaseName}`];
    }
  }
}
