import type { CheckpointKey } from '../../definition/index.js';
import { InvalidOptionsError } from '../../iteration.errors.js';
import { KEY_BYTES } from './table.js';

const WORDS = { prefix: 'prefix', queue: 'name of the queue', jobId: 'job id' } as const;

/** @throws InvalidOptionsError for a job whose key the table cannot hold. */
export function checkKey(key: CheckpointKey): void {
  for (const part of ['prefix', 'queue', 'jobId'] as const) {
    const reason = unfit(key[part], KEY_BYTES[part]);
    if (!reason) continue;
    const shown = key[part].length > 100 ? `${key[part].slice(0, 100)}…` : key[part];
    throw new InvalidOptionsError(
      `Job ${JSON.stringify(key.jobId.slice(0, 100))} of queue ${JSON.stringify(key.queue.slice(0, 100))} cannot run with ` +
        `"transactions": its ${WORDS[part]} ${JSON.stringify(shown)} ${reason}`,
    );
  }
}

function unfit(text: string, most: number): string | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > most)
    return `has ${bytes} bytes, and the key of the table iteration_checkpoint holds ${most}. Use a shorter one`;
  // PostgreSQL has no such text.
  return text.includes('\0') ? 'holds the character U+0000, which a database cannot keep. Use another' : undefined;
}
