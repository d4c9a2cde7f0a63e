import type { Checkpoint, Running } from '../../lib/checkpoint/checkpoint.js';
import { PostgresCheckpointStore } from '../../lib/checkpoint/checkpoint.store.postgres.js';
import { RedisCheckpointStore } from '../../lib/checkpoint/checkpoint.store.redis.js';

interface Store {
  save(job: { id?: string }, token: string, document: Checkpoint, options?: object): Promise<boolean>;
}

/** Calls `watch` instead of each save of a checkpoint. */
function watchSaves(watch: (id: string, document: Checkpoint, save: () => Promise<boolean>) => Promise<boolean>): void {
  for (const { prototype } of [RedisCheckpointStore, PostgresCheckpointStore] as unknown as { prototype: Store }[]) {
    const { save } = prototype;
    prototype.save = function (this: Store, job, token, document, options) {
      return watch(job.id as string, document, () => save.call(this, job, token, document, options));
    };
  }
}

/** Reports when a checkpoint is sent and when its save has succeeded, with its job, its cursor and the time. */
export function reportSaves(say: (line: string) => void): void {
  watchSaves(async (id, { cursor }, save) => {
    say(`saving ${id} ${cursor ?? -1} ${Date.now()}`);
    const saved = await save();
    if (saved) say(`saved ${id} ${cursor ?? -1} ${Date.now()}`);
    return saved;
  });
}

/** The `running` of each job's last checkpoint. */
export function recordRunning(): ReadonlyMap<string, Running | undefined> {
  const running = new Map<string, Running | undefined>();
  watchSaves(async (id, document, save) => {
    const saved = await save();
    if (saved) running.set(id, document.running);
    return saved;
  });
  return running;
}
