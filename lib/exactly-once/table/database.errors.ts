import { InvalidOptionsError } from '../../iteration.errors.js';

/** The codes and messages of an error, wherever drivers and ORMs put them. */
interface Facts {
  readonly codes: readonly (string | number)[];
  readonly messages: readonly string[];
}

/**
 * PostgreSQL: serialization_failure, deadlock_detected. MySQL and MariaDB: a lock wait timeout, a deadlock, a row that
 * changed after the snapshot. Prisma and its driver adapters: their names for the same.
 */
const TRANSIENT: ReadonlySet<string | number> = new Set([
  ...['40001', '40P01'],
  ...[1205, 1213, 1020, '1205', '1213', '1020'],
  ...['P2034', 'TransactionWriteConflict'],
]);

const MISSING_TABLE: ReadonlySet<string | number> = new Set(['42P01', 1146, '1146', 'P2021', 'TableDoesNotExist']);

/** MySQL: another holds the lock for `innodb_lock_wait_timeout`, 50 s unless set; only the statement was rolled back. */
export function isLockTimeout(error: unknown): boolean {
  return factsOf(error).codes.some((code) => String(code) === '1205');
}

/** Whether the same work may succeed if it is retried at once. */
export function isTransient(error: unknown): boolean {
  return factsOf(error).codes.some(
    (code) => TRANSIENT.has(code) || (typeof code === 'string' && code.startsWith('SQLITE_BUSY')),
  );
}

/** The error to throw if the table is missing. */
export function missingTable(error: unknown, table: string, migration: string): InvalidOptionsError | undefined {
  const { codes, messages } = factsOf(error);
  const isMissing =
    codes.some((code) => MISSING_TABLE.has(code)) || messages.some((text) => text.includes('no such table'));
  if (!isMissing) return undefined;
  return new InvalidOptionsError(
    `The database has no table ${table}, where "transactions" keep their checkpoints. ${migration}`,
    {
      cause: error,
    },
  );
}

/** MySQL and SQLite: the savepoint no longer exists, and neither does its transaction. */
export function isMissingSavepoint(error: unknown): boolean {
  const { codes, messages } = factsOf(error);
  return codes.some((code) => String(code) === '1305') || messages.some((text) => text.includes('no such savepoint'));
}

/** MySQL does not have all of MariaDB's variables. */
export function isUnknownVariable(error: unknown): boolean {
  return factsOf(error).codes.some((code) => String(code) === '1193');
}

const NESTED = ['cause', 'driverError', 'meta', 'driverAdapterError'] as const;
const NAMES = ['code', 'errno', 'originalCode', 'kind'] as const;
/** Errors may contain themselves. */
const DEEPEST = 6;

function factsOf(error: unknown, depth = 0): Facts {
  if (typeof error !== 'object' || error === null || depth > DEEPEST) return { codes: [], messages: [] };
  const holder = error as Readonly<Record<string, unknown>>;
  const inner = NESTED.map((name) => factsOf(holder[name], depth + 1));
  const codes = NAMES.map((name) => holder[name]).filter(
    (code) => typeof code === 'string' || typeof code === 'number',
  );
  const messages = [holder.message].filter((message) => typeof message === 'string');
  return {
    codes: [...codes, ...inner.flatMap((facts) => facts.codes)],
    messages: [...messages, ...inner.flatMap((facts) => facts.messages)],
  };
}
