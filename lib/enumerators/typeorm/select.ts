/**
 * The part of TypeORM's SelectQueryBuilder that this library uses. TypeORM is an optional peer: no declaration names it, and
 * it is not loaded here.
 */
export interface Query<Entity> {
  readonly expressionMap: ExpressionMap;
  clone(): this;
  escape(name: string): string;
  getParameters(): Record<string, unknown>;
  setParameters(parameters: Record<string, unknown>): this;
  select(selection: string, alias?: string): this;
  addSelect(selection: string, alias?: string): this;
  orderBy(): this;
  addOrderBy(expression: string, order: 'ASC' | 'DESC', nulls?: 'NULLS FIRST' | 'NULLS LAST'): this;
  groupBy(expression: string): this;
  limit(limit: number): this;
  cache(enabled: boolean): this;
  distinct(enabled: boolean): this;
  setOption(option: 'disable-global-order'): this;
  setQueryRunner(runner: Runner): this;
  getQuery(): string;
  getQueryAndParameters(): [string, unknown[]];
  getCount(): Promise<number>;
  getRawMany(): Promise<unknown[]>;
  getRawAndEntities(): Promise<{ entities: Entity[]; raw: unknown[] }>;
}

/** Runs a statement. */
export interface Executor {
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

/** The data source of a query. */
export interface DataSource extends Executor {
  readonly driver: {
    readonly options: { readonly type: string };
    readonly maxAliasLength?: number;
    normalizeType(column: { type?: unknown }): string;
  };
  createQueryRunner(mode: 'slave'): Runner;
}

/** A connection of its own. */
export interface Runner extends Executor {
  startTransaction(): Promise<void>;
  rollbackTransaction(): Promise<void>;
  release(): Promise<void>;
}

export interface ExpressionMap {
  readonly mainAlias?: { readonly name: string; readonly hasMetadata: boolean; readonly metadata: Metadata };
  readonly aliases: readonly Alias[];
  readonly selects: readonly { readonly selection: string; readonly aliasName?: string }[];
  readonly joinAttributes: readonly unknown[];
  readonly orderBys: object;
  readonly groupBys: readonly unknown[];
  readonly havings: readonly unknown[];
  readonly selectDistinct: boolean;
  readonly selectDistinctOn: readonly unknown[];
  readonly take?: number;
  readonly skip?: number;
  readonly limit?: number;
  readonly offset?: number;
  readonly lockMode?: string;
  options: readonly unknown[];
  extraAppendedAndWhereCondition: string;
}

export interface Alias {
  readonly type: string;
  readonly name: string;
  readonly hasMetadata: boolean;
  readonly metadata: Metadata;
}

export interface Metadata {
  readonly name: string;
  readonly tablePath: string;
  readonly columns: readonly Column[];
  readonly primaryColumns: readonly Column[];
  findColumnWithPropertyPath(path: string): Column | undefined;
  findColumnWithDatabaseName(name: string): Column | undefined;
}

export interface Column {
  readonly propertyPath: string;
  readonly databaseName: string;
  readonly type: unknown;
  readonly isArray: boolean;
  readonly isNullable: boolean;
  readonly isSelect: boolean;
  readonly isVirtual: boolean;
  readonly isVirtualProperty: boolean;
}
