import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { getQueueToken } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import { IterationService } from 'nestjs-iteration';
import type { ImportOptions } from './csv-files.js';
import { ImportBirdStrikes } from './processors/import-bird-strikes.processor.js';
import { ImportZipCodes } from './processors/import-zip-codes.processor.js';
import { startApplication } from './servers/application.js';
import { prepareDatabase } from './servers/database.js';
import { startEmbeddedPostgres } from './servers/embedded-postgres.js';
import { prepareQueue } from './servers/queue.js';
import { expectedFigures, readCsvFiles } from './summary/expected.js';
import { Summary } from './summary/summary.js';
import { Progress } from './terminal/progress.js';
import { Terminal } from './terminal/terminal.js';

const { values: options } = parseArgs({
  options: {
    fresh: { type: 'boolean', default: false },
    rows: { type: 'string' },
    board: { type: 'boolean', default: true },
    port: { type: 'string', default: '0' },
  },
  allowNegative: true, // --no-board
});

const embedded = !process.env.DATABASE_URL;
if (embedded) process.env.DATABASE_URL = await startEmbeddedPostgres(options);
await prepareDatabase(options);
await prepareQueue(options);

const files = readCsvFiles(); // before any job runs

const { app, board } = await startApplication({ board: options.board, port: Number(options.port) });

const terminal = app.get(Terminal);
terminal.log(
  `Queue: ${process.env.REDIS_URL ? 'Redis' : 'PostgreSQL'}; data: ${embedded ? 'embedded ' : ''}PostgreSQL`,
);
if (board) terminal.log(`Board: ${board}`);

// With a job id, each start continues the same job. The imports add the jobs that follow them.
const iterations = app.get(IterationService);
const queue = app.get<Queue<ImportOptions>>(getQueueToken('sample'));
const data = { rows: options.rows ? Number(options.rows) : undefined };
await iterations.enqueue(ImportZipCodes, data, { jobId: 'import-zip-codes' });
await iterations.enqueue(ImportBirdStrikes, data, { jobId: 'import-bird-strikes' });
await queue.retryJobs({ state: 'failed' });

const first = await queue.getJob('import-zip-codes'); // possibly added by an earlier start
const expected = expectedFigures(files, first?.data.rows);
const outcome = await app.get(Progress).follow([
  { id: 'import-zip-codes', total: expected['zip codes'] as number },
  { id: 'import-bird-strikes', total: expected['bird strikes'] as number },
  { id: 'find-shipping-zones', total: expected['shipping zones'] as number },
  { id: 'settle-claims', total: expected.claims as number },
]);

// When a signal ends the application, Nest ends the process with it.
if (outcome !== 'closing') {
  terminal.endBars();
  const right = outcome === 'completed' && (await app.get(Summary).check(expected));
  terminal.log(right ? 'Done, and right. To start over: npm run sample -- --fresh' : 'NOT RIGHT');
  process.exitCode = right ? 0 : 1;
  await app.close();
}
