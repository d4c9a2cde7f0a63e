import { Command, CommanderError } from 'commander';
import { addActionCommands } from './action.commands.js';
import { addChangeCommands } from './change.commands.js';
import { addDatabaseCommands } from './database.commands.js';
import { EXIT, type ExitCode, exitCodeOf, failureText } from './failure.js';
import type { Print } from './output.js';
import { addReadCommands } from './read.commands.js';
import { jsonText } from './text.js';

const HELP = `
The server is that of the application's queues: --url, else REDIS_URL, else DATABASE_URL.
A job id that begins with "-" comes after "--": nestjs-iteration status -q imports -- -7

Exit codes:
  0  done
  1  the job's state does not allow it, or the server reports an error
  2  the command was called in a wrong way
  3  the queue has no such job

Examples:
  $ nestjs-iteration list -q imports --url redis://localhost:6379
  $ nestjs-iteration pause 42 -q imports --reason "the database is slow"
  $ nestjs-iteration status 42 -q imports --json
  $ nestjs-iteration help restart`;

/** Runs the command line, and returns its exit code. */
export async function runCli(
  args: readonly string[],
  { out, err }: { readonly out: (text: string) => void; readonly err: (text: string) => void },
): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  const print: Print = ({ isRefused = false, json, text }, options) => {
    out(options.json ? jsonText(json) : text);
    if (isRefused) exitCode = EXIT.refused;
  };
  const program = new Command('nestjs-iteration')
    .description('Shows and controls the iterative jobs of a BullMQ queue.')
    .exitOverride()
    .configureOutput({ writeOut: out, writeErr: err, outputError: () => {} })
    .addHelpText('after', HELP);
  addReadCommands(program, print);
  addActionCommands(program, print);
  addChangeCommands(program, print);
  addDatabaseCommands(program, print);
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    const isHelp = error instanceof CommanderError && error.code.startsWith('commander.help');
    if (!isHelp) err(failureText(error, args.includes('--json')));
    return exitCodeOf(error);
  }
}
