import type { Command } from 'commander';
import type { Print } from './output.js';
import { addQueueCommand, countOf, type FilterOptions, filtered, type QueueOptions } from './queue.command.js';
import { sheetText, tableText } from './text.js';
import { jobRow, jobSheet, letterRow, runRow } from './views.js';

interface LimitOptions extends QueueOptions {
  readonly limit: number;
}

/** Adds the commands that change nothing. */
export function addReadCommands(program: Command, print: Print): void {
  const limited = (command: Command) => command.option('--limit <n>', 'at most so many', countOf, 100);

  const list = addQueueCommand<LimitOptions & FilterOptions>(program, print, {
    usage: 'list',
    does: 'List the jobs of a queue: running ones first, then those that wait, failed and completed ones.',
    examples: [
      'list -q imports',
      'list -q imports --state running,paused --name import-users --limit 20',
      'list -q imports --part-of 42 --state failed',
    ],
    run: async (iterations, { queue }, { limit, name, partOf, state: states }) => {
      const jobs = await iterations.list(queue, { states, name, partOf, end: limit - 1 });
      return { json: jobs, text: tableText(jobs.map(jobRow), 'No such jobs.') };
    },
  });
  limited(filtered(list));

  addQueueCommand(program, print, {
    usage: 'status <id>',
    does: 'Show how far a job is, why it stopped, and which settings are in force.',
    examples: ['status 42 -q imports', 'status 42 -q imports --json'],
    run: async (iterations, job) => {
      const status = await iterations.status(job);
      return { json: status, text: sheetText(jobSheet(status)) };
    },
  });

  addQueueCommand(program, print, {
    usage: 'runs <id>',
    does: 'List the last 20 runs of a job: worker, start, end, items, and how each run ended.',
    examples: ['runs 42 -q imports'],
    run: async (iterations, job) => {
      const runs = await iterations.runs(job);
      return { json: runs, text: tableText(runs.map(runRow), 'The job has not run yet.') };
    },
  });

  const deadLetters = addQueueCommand<LimitOptions>(program, print, {
    usage: 'dead-letters <id>',
    does: 'List the items that a job skipped, with their errors.',
    examples: ['dead-letters 42 -q imports', 'redrive 42 -q imports'],
    run: async (iterations, job, { limit }) => {
      const letters = await iterations.deadLetters(job, { end: limit - 1 });
      if (letters.length === 0) await iterations.status(job); // the letters of a removed job stay
      return { json: letters, text: tableText(letters.map(letterRow), 'The job has no dead letters.') };
    },
  });
  limited(deadLetters);
}
