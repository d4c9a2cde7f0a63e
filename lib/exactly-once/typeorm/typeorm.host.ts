// biome-ignore lint/suspicious/noTsIgnore: where TypeORM is installed, as here, there is no error to expect
/** @ts-ignore TypeORM is an optional peer: these declarations must compile where it is not installed. */
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import type { CheckpointKey, Committed, Holder, TransactionHost } from '../../definition/index.js';
import { describe } from '../../describe.js';
import { InvalidOptionsError, IterationError } from '../../iteration.errors.js';
import { check, oneOf } from '../../rules.js';
import type { Dialect } from '../../sql.dialect.js';
import { CheckpointTable, type Executor, isTransient, isUnknownVariable, OneAtATime } from '../table/index.js';
import { databaseOfTypeOrm } from './typeorm.database.js';

const LEVELS = ['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const;

/** Options of each transaction. */
export interface TypeOrmTransactionOptions {
  /** The isolation level of each transaction. Default: the data source's, then the database's. */
  isolation?: (typeof LEVELS)[number];
}

/** MariaDB ends a transaction that wrote and is then idle for this many seconds. */
const IDLE = 'SET SESSION idle_write_transaction_timeout =';
const COMMIT_WITHIN_S = 5;

/**
 * Exactly once with TypeORM ([R25](docs/guarantees.md#r25)): `context.transaction` is an EntityManager. For PostgreSQL,
 * MariaDB, MySQL and SQLite.
 *
 * The migration `CreateIterationCheckpoint1795305600000` creates the table `iteration_checkpoint`. A data source of SQLite has
 * one connection: give the host a data source through which nothing else writes while a job runs.
 */
export class TypeOrmTransactionHost implements TransactionHost<EntityManager> {
  readonly #dialect: Dialect;
  readonly #table: CheckpointTable;
  readonly #onlyConnection = new OneAtATime();
  /** Unlike MariaDB, MySQL cannot end an idle transaction. The first save finds out which one it is. */
  #endsIdle: boolean;
  readonly #limited = new WeakSet<QueryRunner>();

  /** @throws InvalidOptionsError for an unknown option, or a data source of another database. */
  constructor(
    private readonly dataSource: DataSource,
    private readonly options: TypeOrmTransactionOptions = {},
  ) {
    const where = new.target.name;
    if (typeof (dataSource as Partial<DataSource> | null | undefined)?.createQueryRunner !== 'function') {
      throw new InvalidOptionsError(`${where} needs a DataSource of TypeORM, and was given ${describe(dataSource)}`);
    }
    check(where, options, { isolation: oneOf(...LEVELS) });
    const { dialect, schema } = databaseOfTypeOrm(dataSource.options, where);
    const migration =
      'Add CreateIterationCheckpoint1795305600000 of "nestjs-iteration" to the "migrations" of the data source, and run them';
    this.#dialect = dialect;
    this.#table = new CheckpointTable({ dialect, schema, migration });
    this.#endsIdle = dialect === 'mysql';
  }

  run<Result>(work: (transaction: EntityManager) => Promise<Result>): Promise<Result> {
    return this.#onConnection(async (runner) => {
      const whole = async (manager: EntityManager) => {
        await this.#table.begin(executorOf(manager));
        return work(manager);
      };
      const { isolation } = this.options;
      return isolation ? runner.manager.transaction(isolation, whole) : runner.manager.transaction(whole);
    });
  }

  claim(key: CheckpointKey, holder: Holder): Promise<Committed | undefined> {
    return this.#onConnection(({ manager }) => this.#table.claim(executorOf(manager), { key, holder }));
  }

  async save(
    transaction: EntityManager,
    place: { key: CheckpointKey; holder: Holder; document: string },
  ): Promise<boolean> {
    await this.#endWhenIdle(transaction);
    return this.#table.save(executorOf(transaction), place);
  }

  read(key: CheckpointKey, holder: Holder): Promise<Committed | undefined> {
    return this.#onConnection(({ manager }) => this.#table.read(executorOf(manager), { key, holder }));
  }

  remove(key: CheckpointKey, holder: Holder): Promise<void> {
    return this.#onConnection(({ manager }) => this.#table.remove(executorOf(manager), { key, holder }));
  }

  adopt(item: unknown, { queryRunner }: EntityManager): void {
    if (isQuery(item) && queryRunner) item.setQueryRunner(queryRunner);
  }

  isTransient(error: unknown): boolean {
    return isTransient(error);
  }

  /** Else a transaction that freezes with its process after its save would hold the row until the process thaws. */
  async #endWhenIdle({ queryRunner }: EntityManager): Promise<void> {
    if (!this.#endsIdle || !queryRunner) return;
    try {
      await queryRunner.query(`${IDLE} ${COMMIT_WITHIN_S}`);
      this.#limited.add(queryRunner);
    } catch (error) {
      if (!isUnknownVariable(error)) throw error;
      this.#endsIdle = false;
    }
  }

  async #onConnection<Result>(work: (runner: QueryRunner) => Promise<Result>): Promise<Result> {
    if (this.#dialect === 'sqlite') return this.#onlyConnection.run(() => this.#onOnlyConnection(work));
    const runner = this.dataSource.createQueryRunner();
    try {
      return await work(runner);
    } finally {
      // The connection returns to the pool without the limit. A lost connection needs no reset.
      if (this.#limited.has(runner)) await runner.query(`${IDLE} DEFAULT`).catch(() => {});
      await runner.release();
    }
  }

  async #onOnlyConnection<Result>(work: (runner: QueryRunner) => Promise<Result>): Promise<Result> {
    const runner = this.dataSource.createQueryRunner();
    if (!runner.isTransactionActive) {
      try {
        return await work(runner);
      } finally {
        // SQLite rolled back itself, so TypeORM's ROLLBACK failed, and TypeORM would treat what follows as nested.
        if (runner.isTransactionActive) await runner.query('BEGIN').then(() => runner.rollbackTransaction());
      }
    }
    throw new IterationError(
      `${this.constructor.name}: another transaction is open on the only connection of a data source of the type ` +
        `"${this.dataSource.options.type}", and would include this one. Give the host a data source of its own`,
    );
  }
}

/** Whether it is a query of `typeorm.queries`. */
function isQuery(item: unknown): item is { setQueryRunner(runner: QueryRunner): unknown } {
  return typeof item === 'object' && item !== null && 'setQueryRunner' in item;
}

function executorOf(manager: EntityManager): Executor {
  return {
    rows: ({ sql, values }) => manager.query(sql, [...values]),
    async affected({ sql, values }) {
      const { affectedRows } = ((await manager.query(sql, [...values])) ?? {}) as { affectedRows?: number };
      return affectedRows ?? 0;
    },
  };
}
