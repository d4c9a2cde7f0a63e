import { createPostgresBackend, Queue, Worker } from 'bullmq';
import { afterEach, describe, expect, it } from 'vitest';
import { describeQueues } from '../support/app.js';
import { Gate } from '../support/until.js';

/** BullMQ without this library. A red test here means that BullMQ no longer needs the workaround: remove it. */
describeQueues('BullMQ needs the workaround', ['redis'], (queues) => {
  const opened: { close(force?: boolean): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((own) => own.close(true)));
  });

  function bare(process: () => Promise<unknown>, options: object = {}) {
    const { connection, prefix } = queues.place as { connection: object; prefix: string };
    const queue = new Queue('bare', { connection, prefix });
    const worker = new Worker('bare', () => process(), {
      connection,
      prefix,
      ...options,
    });
    opened.push(worker, queue);
    return { queue, worker };
  }

  it('keepLatestLock: the end of an earlier run removes the lock that the worker tracks for a later run', async () => {
    const { worker } = bare(async () => {});
    const { lockManager } = worker as unknown as {
      lockManager: {
        trackJob(id: string, token: string, ts: number): void;
        untrackJob(id: string): void;
        trackedJobs: ReadonlyMap<string, unknown>;
      };
    };
    lockManager.trackJob('one', 'earlier', Date.now());
    lockManager.trackJob('one', 'later', Date.now());
    lockManager.untrackJob('one');
    expect(lockManager.trackedJobs.has('one')).toBe(false);
  });

  it('listenToRenewals: the locksRenewed event has neither the tokens nor the time of the command', async () => {
    const release = new Gate();
    const { queue, worker } = bare(() => release.wait(), { lockDuration: 1_000, lockRenewTime: 20 });
    const renewed = new Promise<object>((resolve) => worker.once('locksRenewed', resolve));
    await queue.add('job', {});
    expect(Object.keys(await renewed).sort()).toEqual(['count', 'jobIds']);
    release.open();
  });
});

describe('BullMQ needs the workaround', () => {
  it('retryFirstConnection: a PostgreSQL backend does not reconnect after its first attempt fails', async () => {
    const connection = { connectionString: 'postgres://127.0.0.1:1/none' };
    const backend = createPostgresBackend('bare', { connection } as never) as unknown as {
      connection: { waitUntilReady(): Promise<void>; pool: { end(): Promise<void> } };
    };
    const failed = await backend.connection.waitUntilReady().catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(Error);
    expect(await backend.connection.waitUntilReady().catch((error: unknown) => error)).toBe(failed);
    await backend.connection.pool.end();
  });
});
