import type { Checkpoint } from '../../lib/run/checkpoint.js';
import { PostgresCheckpointStore } from '../../lib/run/checkpoint.postgres.js';
import { RedisCheckpointStore } from '../../lib/run/checkpoint.redis.js';

interface Store {
  save(job: { id?: string }, token: string, document: Checkpoint, options?: object): Promise<boolean>;
}

/** Says when a checkpoint is sent, and when it is known to be saved: with its job, its cursor and the time. */
export function tellSaves(say: (line: string) => void): void {
  for (const { prototype } of [RedisCheckpointStore, PostgresCheckpointStore] as unknown as { prototype: Store }[]) {
    const { save } = prototype;
    prototype.save = async function (this: Store, job, token, document, options) {
      const what = `${job.id} ${document.cursor ?? -1}`;
      say(`saving ${what} ${Date.now()}`);
      const saved = await save.call(this, job, token, document, options);
      if (saved) say(`saved ${what} ${Date.now()}`);
      return saved;
    };
  }
}
