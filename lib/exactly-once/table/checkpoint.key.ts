import type { CheckpointKey } from '../../definition/index.js';
import { describe } from '../../describe.js';
import { InvalidOptionsError } from '../../iteration.errors.js';
import { KEY_BYTES } from './table.js';

const WORDS = { prefix: 'prefix', queue: 'name of the queue', jobId: 'job id' } as const;

/** @throws InvalidOptionsError for a job whose key does not fit into the table. */
export function checkKey(key: CheckpointKey): void {
  for (const part of ['prefix', 'queue', 'jobId'] as const) {
    const reason = unfit(key[part], KEY_BYTES[part]);
    if (!reason) continue;
    throw new InvalidOptionsError(
      `Job ${describe(key.jobId)} of queue ${describe(key.queue)} cannot run with "transactions": its ${WORDS[part]} ` +
        `${describe(key[part])} ${reason}`,
    );
  }
}

function unfit(text: string, most: number): string | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > most)
    return `has ${bytes} bytes, and the key of the table iteration_checkpoint holds ${most}. Use a shorter one`;
  // PostgreSQL cannot store such a text.
  return text.includes('\0') ? 'holds the character U+0000, which a database cannot store. Use another' : undefined;
}
