/**
 * What checkpoints cost. The time of a whole job over a `pg` keyset source with the default checkpoint (every second)
 * against the same job without checkpoints (target <= 1.03); and the time of one checkpoint, in a job that saves after
 * every item. Interleaved, medians of seven rounds.
 *
 * `ROWS=2000000` rows, which take some seconds, and `ITEMS=5000` items with a checkpoint each by default. `REDIS_URL`
 * and `DATABASE_URL` name the servers; the bench creates and drops its own database there.
 */
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterativeProcessor,
} from '../lib/index.js';
import { createDatabase } from '../test/support/database.js';
import { QUEUE, startApp } from './app.js';
import { jobOver } from './contender.js';
import { report } from './figure.js';
import { interleaved } from './interleaved.js';

const ROWS = Number(process.env.ROWS ?? 2_000_000);
const ITEMS = Number(process.env.ITEMS ?? 5_000);

const database = await createDatabase();
const client = new pg.Client({ connectionString: database.url });
await client.connect();
await client.query(
  `CREATE TABLE entry AS SELECT n::int AS id, 'name ' || n AS name FROM generate_series(1, ${ROWS}) n`,
);
await client.query('ALTER TABLE entry ADD PRIMARY KEY (id)');
await client.query('VACUUM ANALYZE entry');

type Row = { readonly id: number };
const SQL = 'SELECT * FROM entry WHERE id > $1 ORDER BY id LIMIT $2';

@Injectable()
abstract class Rows {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.keyset<Row, number>({
      cursor,
      fetch: async (after, limit) =>
        (await client.query<Row>({ name: 'page', text: SQL, values: [after ?? 0, limit] })).rows,
      key: ({ id }) => id,
    });
  }

  @EachIteration()
  each(_row: Row) {}
}

@IterativeProcessor({ queue: QUEUE, name: 'checkpoints' })
class WithCheckpoints extends Rows {}

@IterativeProcessor({ queue: QUEUE, name: 'no checkpoints', checkpoint: { everyMs: Infinity } })
class WithoutCheckpoints extends Rows {}

@IterativeProcessor({ queue: QUEUE, name: 'a checkpoint an item', checkpoint: { everyItems: 1 } })
class CheckpointEach {
  constructor(private readonly enumerators: EnumeratorBuilder) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    return this.enumerators.times(ITEMS, { cursor });
  }

  @EachIteration()
  each(_item: number) {}
}

const app = await startApp([WithCheckpoints, WithoutCheckpoints, CheckpointEach]);
try {
  const checkpoints = await interleaved(
    {
      without: jobOver(ROWS, app, 'no checkpoints'),
      with: jobOver(ROWS, app, 'checkpoints'),
      each: jobOver(ITEMS, app, 'a checkpoint an item'),
    },
    7,
  );
  report(
    checkpoints.measures('a job over pg keyset with the default checkpoint', {
      ...{ ours: 'with', against: 'without', name: 'no checkpoint while it runs', target: { atMost: 1.03 } },
      asText: (taken) => `${taken.toFixed(2)} s`,
    }),
  );
  report({ what: 'an awaited checkpoint', ours: `${((checkpoints.median('each') / ITEMS) * 1e6).toFixed(0)} us` });
} finally {
  await app.close();
  await client.end();
  await database.drop();
}
