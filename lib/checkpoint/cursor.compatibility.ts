import { type Cursor, checkJson } from '../cursor.js';
import type { ProcessorDefinition } from '../definition/index.js';
import { toError } from '../enumerators/contract/index.js';
import { SourceChangedError } from '../iteration.errors.js';
import type { Checkpoint } from './checkpoint.js';

/** Why a job's cursor cannot be followed by this processor; undefined when it can (R10). */
export function versionChange(
  { name, version }: ProcessorDefinition,
  { cursor, run, version: saved }: Checkpoint,
): SourceChangedError | undefined {
  if (saved === version || cursor === null || run === 1) return undefined;
  return new SourceChangedError(
    `${name} has version ${JSON.stringify(version)}, and the job's cursor was made by version ${JSON.stringify(saved)}. ` +
      'Let "onChange" say what to do with such jobs',
  );
}

/**
 * Where to go on after a change, as `onChange` says.
 *
 * @throws the change itself, when it says `'fail'`.
 */
export function cursorAfter(
  change: SourceChangedError,
  { name, onChange }: ProcessorDefinition,
  { cursor, version }: Checkpoint,
): Cursor {
  if (onChange === 'fail') throw change;
  if (onChange === 'restart') return null;
  let next: Cursor;
  try {
    next = onChange({ version, cursor });
  } catch (thrown) {
    throw toError(thrown, `onChange of ${name}`);
  }
  checkJson(next);
  return next;
}
