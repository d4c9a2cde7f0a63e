import { type Command, InvalidArgumentError } from 'commander';
import { UsageError } from './failure.js';
import { type Given, type Print, statusOutput } from './output.js';
import { addQueueCommand, countOf, type QueueOptions } from './queue.command.js';
import { printable } from './text.js';

interface TuneOptions extends QueueOptions {
  readonly concurrency?: number;
  readonly rate?: Given<number | null>;
  readonly batchSize?: number;
}

/** Adds `tune` and `redrive`. */
export function addChangeCommands(program: Command, print: Print): void {
  addQueueCommand<TuneOptions>(program, print, {
    usage: 'tune <id>',
    does: 'Change settings of a job, also while it runs.',
    examples: ['tune 42 -q imports --rate 50', 'tune 42 -q imports --rate none --concurrency 10'],
    check: (_, { batchSize, concurrency, rate }) => {
      if (!batchSize && !concurrency && !rate) throw new UsageError('tune needs --concurrency, --rate or --batch-size');
    },
    run: async (iterations, job, { batchSize, concurrency: itemConcurrency, rate }) => {
      await iterations.tune(job, { itemConcurrency, itemsPerSecond: rate?.value, batchSize });
      return statusOutput(await iterations.status(job));
    },
  })
    .option('--concurrency <n>', 'items in flight', countOf)
    .option('--rate <n>', 'items that begin in a second, or "none"', rateOf)
    .option('--batch-size <n>', 'records of a batch, where the source has batches', countOf);

  addQueueCommand(program, print, {
    usage: 'redrive <id>',
    does: 'Add a job that handles the dead letters of a job again.',
    examples: ['redrive 42 -q imports'],
    run: async (iterations, job) => {
      const letters = await iterations.deadLetters(job, { end: 0 });
      if (letters.length === 0) await iterations.status(job); // the letters of a removed job stay
      const status = await iterations.status(await iterations.redrive(job));
      const text = `Job ${printable(status.id)} handles the dead letters of job ${printable(job.id)}.\n`;
      return { json: status, text };
    },
  });
}

function rateOf(text: string): Given<number | null> {
  if (text === 'none') return { value: null };
  const rate = Number(text);
  if (text.trim() !== '' && rate > 0 && rate < Infinity) return { value: rate };
  throw new InvalidArgumentError('It is a number above 0, or "none".');
}
