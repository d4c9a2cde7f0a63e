import { CommanderError } from 'commander';
import { InvalidCursorError, InvalidOptionsError, JobNotFoundError } from '../iteration.errors.js';
import { jsonText, printable } from './text.js';

/** The exit codes of the command. The help lists them. */
export const EXIT = { done: 0, refused: 1, usage: 2, noJob: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command was called in a wrong way. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The server does not answer, or answers with an error. */
export class BackendError extends Error {
  override readonly name = 'BackendError';

  /** @param advice What to do, after the server's message. */
  constructor(url: URL, cause: unknown, advice = '') {
    super(`${withoutPassword(url)}: ${messageOf(cause)}${advice}`, { cause });
  }
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof JobNotFoundError) return EXIT.noJob;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage; // 0: help was asked for
  const isUsage = [UsageError, InvalidOptionsError, InvalidCursorError].some((type) => error instanceof type);
  return isUsage ? EXIT.usage : EXIT.refused;
}

/** What is printed on stderr. */
export function failureText(error: unknown, isJson: boolean): string {
  const message = messageOf(error).replace(/^error: /, '');
  if (!isJson) return `error: ${shownLines(error, message).map(printable).join('\n')}\n`;
  const name = error instanceof Error ? error.name : 'Error';
  return jsonText({ error: { name, message, exitCode: exitCodeOf(error) } });
}

/** The parser adds what may have been meant, on a line of its own. A job that is missing may be in another place. */
function shownLines(error: unknown, message: string): readonly string[] {
  if (error instanceof JobNotFoundError) return [`${message}. If the job exists, check --prefix and --schema`];
  return error instanceof CommanderError ? message.split('\n') : [message];
}

/** Node's error for a host of several addresses has no message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return messageOf(error.errors[0]);
  return error instanceof Error && error.message ? error.message : String(error);
}

function withoutPassword({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname}`;
}
