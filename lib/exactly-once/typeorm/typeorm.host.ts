// biome-ignore lint/suspicious/noTsIgnore: where TypeORM is installed, as here, there is no error to expect
/** @ts-ignore TypeORM is an optional peer: these declarations must compile where it is not installed. */
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import type { CheckpointKey, Committed, Holder, TransactionHost } from '../../definition/index.js';
import { describe } from '../../describe.js';
import { InvalidOptionsError, IterationError } from '../../iteration.errors.js';
import { check, oneOf } from '../../rules.js';
import type { Dialect } from '../../sql.dialect.js';
import { CheckpointTable, type Executor, isTransient, isUnknownVariable, Turns } from '../table/index.js';
import { databaseOfTypeOrm } from './typeorm.database.js';

const LEVELS = ['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const;

export interface TypeOrmTransactionOptions {
  /** Of each transaction. Default: the data source's, then the database's. */
  isolation?: (typeof LEVELS)[number];
}

/** MariaDB ends a transaction that has written and then is idle for so many seconds. */
const IDLE = 'SET SESSION idle_write_transaction_timeout =';
const COMMIT_WITHIN_S = 5;

/**
 * Exactly once by TypeORM: `context.transaction` is an EntityManager (R25). PostgreSQL, MariaDB, MySQL and SQLite.
 *
 * The table `iteration_checkpoint` comes with the migration `CreateIterationCheckpoint1795305600000`. A data source of
 * SQLite has one connection: give the host one that nothing else writes by while a job runs.
 */
export class TypeOrmTransactionHost implements TransactionHost<EntityManager> {
  readonly #dialect: Dialect;
  readonly #table: CheckpointTable;
  readonly #turns = new Turns();
  /** Unlike MariaDB, MySQL cannot end such a transaction; it is known once it was asked. */
  #endsIdle: boolean;
  readonly #limited = new WeakSet<QueryRunner>();

  /** @throws InvalidOptionsError for an unknown option, or a data source of another database. */
  constructor(
    private readonly dataSource: DataSource,
    private readonly options: TypeOrmTransactionOptions = {},
  ) {
    const where = new.target.name;
    if (typeof (dataSource as Partial<DataSource> | null | undefined)?.createQueryRunner !== 'function') {
      throw new InvalidOptionsError(
        `${where} is made from a DataSource of TypeORM, and was given ${describe(dataSource)}`,
      );
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

  /** One that this process has frozen with, after its save, would hold the row until it thaws. */
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
    if (this.#dialect === 'sqlite') return this.#turns.take(() => this.#onOnlyConnection(work));
    const runner = this.dataSource.createQueryRunner();
    try {
      return await work(runner);
    } finally {
      // The connection goes back to all; where it is gone, so is the limit.
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
        // SQLite has rolled back by itself, so TypeORM's own ROLLBACK failed, and it would take all that follows for nested.
        if (runner.isTransactionActive) await runner.query('BEGIN').then(() => runner.rollbackTransaction());
      }
    }
    throw new IterationError(
      `${this.constructor.name}: a transaction of somebody else is open on the only connection of a data source of the type ` +
        `"${this.dataSource.options.type}", and would take ours into it. Give the host a data source of its own`,
    );
  }
}

/** What `typeorm.queries` yields. */
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
