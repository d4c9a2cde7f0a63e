import { type Cursor, checkJson } from '../cursor.js';
import type { ProcessorDefinition } from '../definition/index.js';
import { describe } from '../describe.js';
import { toError } from '../enumerators/contract/index.js';
import { SourceChangedError } from '../iteration.errors.js';
import type { Checkpoint } from './checkpoint.js';

/** Why this processor cannot resume from a job's cursor; undefined when it can (R10). */
export function versionChange(
  { name, version }: ProcessorDefinition,
  { cursor, version: saved }: Checkpoint,
): SourceChangedError | undefined {
  if (saved === version || cursor === null) return undefined;
  return new SourceChangedError(
    `${name} has version ${describe(version)}, and the job's cursor was made by version ${describe(saved)}. ` +
      'Let "onChange" say what to do with such jobs',
  );
}

/**
 * The cursor to resume from after a change, as `onChange` decides.
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
