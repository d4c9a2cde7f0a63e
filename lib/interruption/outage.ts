/** The codes of Node and of PostgreSQL: its classes for connections, resources, an operator's hand and a read-only standby. */
const CODE = /^(E(CONN|HOST|NET|PIPE|TIMEDOUT|NOTFOUND|AI_AGAIN)|08|53|57P|25006$|40001$|40P01$|57014$|55P03$|58)/;
/** What Redis answers instead of writing. */
const REDIS = /^(-?(OOM|READONLY|LOADING|MASTERDOWN|NOREPLICAS|MISCONF|CLUSTERDOWN|TRYAGAIN|BUSY)\b)/;
/** How drivers describe a broken connection, without a code. */
const DRIVER =
  /connection (is closed|terminated|error)|connection timeout|timeout exceeded|command timed out|not queryable|isn't writeable|max retries per request/i;

/** Whether an error says that the queue's backend cannot write for now, and nothing about what was to be written. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'number') return false; // BullMQ's own refusal
  if (typeof code === 'string') return CODE.test(code) || DRIVER.test(error.message);
  return REDIS.test(error.message) || DRIVER.test(error.message);
}
