import pg from 'pg';
import type { CheckpointKey, Committed, Holder, TransactionHost } from '../../lib/definition/transaction.host.js';

/** A custom transaction host, over node-postgres. */
export class PgTransactionHost implements TransactionHost<pg.PoolClient> {
  constructor(readonly pool: pg.Pool) {}

  static table =
    `CREATE TABLE checkpoints (prefix text, queue text, job_id text, job_timestamp bigint, life int, run int,
    document text, PRIMARY KEY (prefix, queue, job_id, job_timestamp))`;

  async run<Result>(work: (transaction: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    client.on('error', (error) => {
      broken = error;
    });
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: Error) => {
        broken = failure;
      });
      throw error;
    } finally {
      client.removeAllListeners('error');
      client.release(broken);
    }
  }

  async claim(key: CheckpointKey, { life, run }: Holder): Promise<Committed | undefined> {
    const { rows } = await this.pool.query<Committed>(
      `INSERT INTO checkpoints AS c VALUES ($1, $2, $3, $4, $5, $6, NULL)
       ON CONFLICT (prefix, queue, job_id, job_timestamp) DO UPDATE
         SET document = CASE WHEN c.life = $5 THEN c.document END, life = $5, run = $6
       WHERE (c.life, c.run) < ($5, $6) RETURNING document`,
      [...keyOf(key), life, run],
    );
    return rows[0];
  }

  async save(
    transaction: pg.PoolClient,
    { key, holder, document }: { key: CheckpointKey; holder: Holder; document: string },
  ): Promise<boolean> {
    const saved = await transaction.query(`UPDATE checkpoints SET document = $7 ${HELD}`, [
      ...keyOf(key),
      holder.life,
      holder.run,
      document,
    ]);
    return saved.rowCount === 1;
  }

  async read(key: CheckpointKey, { life, run }: Holder): Promise<Committed | undefined> {
    const { rows } = await this.pool.query<Committed>(`SELECT document FROM checkpoints ${HELD} FOR UPDATE`, [
      ...keyOf(key),
      life,
      run,
    ]);
    return rows[0];
  }

  async remove(key: CheckpointKey, { life, run }: Holder): Promise<void> {
    await this.pool.query(`DELETE FROM checkpoints ${HELD}`, [...keyOf(key), life, run]);
  }

  isTransient(error: unknown): boolean {
    return ['40001', '40P01'].includes((error as { code?: string }).code ?? '');
  }
}

const HELD = 'WHERE prefix = $1 AND queue = $2 AND job_id = $3 AND job_timestamp = $4 AND life = $5 AND run = $6';

function keyOf({ prefix, queue, jobId, jobTimestamp }: CheckpointKey): unknown[] {
  return [prefix, queue, jobId, jobTimestamp];
}
