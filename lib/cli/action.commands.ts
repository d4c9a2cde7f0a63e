import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import type { BulkResult, IterationService, JobRef } from '../control/index.js';
import type { Cursor } from '../cursor.js';
import { UsageError } from './failure.js';
import { type Given, type Output, type Print, statusOutput } from './output.js';
import { addQueueCommand, type FilterOptions, filtered, type QueueOptions } from './queue.command.js';
import { printable } from './text.js';

type Action = 'pause' | 'resume' | 'cancel' | 'restart';

interface ActionOptions extends QueueOptions, FilterOptions {
  readonly all?: boolean;
  readonly by?: string;
  readonly reason?: string;
  readonly cursor?: Given<Cursor>;
}

/** Adds the commands that ask something of one job, or of many. */
export function addActionCommands(program: Command, print: Print): void {
  const add = (action: Action, does: string, examples: readonly string[]): Command => {
    const command = addQueueCommand<ActionOptions>(program, print, {
      usage: `${action} [id]`,
      does,
      examples,
      check: checkChosen,
      run: async (iterations, job, options) => {
        if (options.all) return bulkOutput(action, await askAll(iterations, action, options));
        await ask(iterations, action, job, options);
        return statusOutput(await iterations.status(job));
      },
    });
    return filtered(command.option('--all', 'every job that --state, --name and --part-of choose'));
  };
  const asked = (command: Command) => command.option('--by <name>', 'who asks (default: the user)');
  const reasoned = (command: Command) => asked(command).option('--reason <text>', 'why, for people');

  const pauses = 'Stop a job before its next item, until it is resumed. It keeps its cursor and holds no worker.';
  const pause = ['pause 42 -q imports --reason "the database is slow"', 'pause --all --state running -q imports'];
  reasoned(add('pause', pauses, pause));
  const resume = ['resume 42 -q imports', 'resume --all --state paused -q imports'];
  asked(add('resume', 'Let a paused job continue after its cursor.', resume));
  const cancel = ['cancel 42 -q imports --reason "wrong file"'];
  reasoned(add('cancel', 'End a job as failed, after its cancel hooks.', cancel));
  add('restart', 'Start a job anew that is not running, whatever its state.', [
    'restart 42 -q imports',
    "restart 42 -q imports --cursor '1000'",
    'restart --all --state failed --name import-users -q imports',
  ]).option('--cursor <json>', 'start after this cursor (default: where the job began; null: the beginning)', cursorOf);
}

/** @throws UsageError */
function checkChosen(id: string | undefined, { all, cursor, name, partOf, state }: ActionOptions): void {
  const isFiltered = state !== undefined || name !== undefined || partOf !== undefined;
  if (all && id !== undefined) throw new UsageError('Give a job id or --all, not both');
  if (all && !isFiltered) throw new UsageError('--all needs --state, --name or --part-of');
  if (all && cursor) throw new UsageError('--cursor is for one job, not for --all');
  if (!all && id === undefined) throw new UsageError('Give a job id, or --all with --state, --name or --part-of');
  if (!all && isFiltered) throw new UsageError('--state, --name and --part-of choose jobs for --all: add --all');
}

function ask(iterations: IterationService, action: Action, job: JobRef, options: ActionOptions): Promise<void> {
  const { by = userName(), cursor, reason } = options;
  if (action === 'restart') return iterations.restart(job, { cursor: cursor?.value });
  return action === 'resume' ? iterations.resume(job, { by }) : iterations[action](job, { by, reason });
}

function askAll(iterations: IterationService, action: Action, options: ActionOptions): Promise<BulkResult> {
  const { by = userName(), name, partOf, queue, reason, state: states } = options;
  return iterations.bulk(queue, action, { states, name, partOf, by, reason });
}

function bulkOutput(action: Action, result: BulkResult): Output {
  const { done, errors, refused } = result;
  const lines = errors.map(({ message }) => `  ${printable(message)}\n`);
  const text = `${action}: ${done} jobs${refused > 0 ? `, ${refused} refused:\n` : '\n'}${lines.join('')}`;
  return { json: result, text, isRefused: refused > 0 };
}

/** Undefined in a container whose user has no name. */
function userName(): string | undefined {
  try {
    return userInfo().username || undefined;
  } catch {
    return undefined;
  }
}

function cursorOf(text: string): Given<Cursor> {
  try {
    return { value: JSON.parse(text) as Cursor };
  } catch {
    throw new InvalidArgumentError(`A cursor is JSON, such as 1000, '"key"' or '["2026-01-01",7]'.`);
  }
}
