import { Queue, Worker } from 'bullmq';
import { afterEach, describe, expect, it } from 'vitest';
import { bullmqOf } from '../../lib/bullmq/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { versionOf } from '../support/instead.js';

/** BullMQ without this library. A red test here means that BullMQ no longer needs the workaround: remove it. */
describeQueues('BullMQ needs the workaround', ['redis'], (queues) => {
  const opened: (Queue | Worker)[] = [];
  afterEach(async () => {
    const owners = opened.splice(0);
    await Promise.all(owners.map((owner) => owner.waitUntilReady())); // closed while it connects, BullMQ 5 rejects later
    await Promise.all(owners.map((owner) => (owner instanceof Worker ? owner.close(true) : owner.close())));
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

  it('the suites run on the BullMQ that INSTEAD names', async () => {
    const { queue } = bare(async () => {});
    expect(queue.metaValues.version).toBe(`bullmq:${versionOf('bullmq')}`);
  });

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

  if (!BACKENDS.includes('postgres')) {
    it.each([
      ['patch: a closing worker of BullMQ 5 retries without a pause what a closed connection rejects', false],
      ['patch: a closing worker of BullMQ 5 pauses between two tries', true],
    ])('%s', async (_, isPatched) => {
      const { worker } = bare(async () => {});
      if (isPatched) bullmqOf(worker)?.patch(worker);
      const failures = isPatched ? 1 : 1_000;
      const internals = worker as unknown as {
        closing: unknown;
        retryIfFailed(command: () => Promise<void>, options: object): Promise<void>;
      };
      await worker.waitUntilReady();
      let tries = 0;
      let turned = false;
      setImmediate(() => {
        turned = true;
      });
      internals.closing = true;
      const fail = async () => {
        tries += 1;
        if (tries <= failures) throw new Error('Connection is closed.');
      };
      await internals.retryIfFailed(fail, { delayInMs: 1_000 });
      internals.closing = undefined;
      expect({ tries, turned }).toEqual({ tries: failures + 1, turned: isPatched });
    });
  }

  it('listenToRenewals: the locksRenewed event has neither the tokens nor the time of the command', async () => {
    const release = new Gate();
    const { queue, worker } = bare(() => release.wait(), { lockDuration: 1_000, lockRenewTime: 20 });
    const renewed = new Promise<object>((resolve) => worker.once('locksRenewed', resolve));
    await queue.add('job', {});
    expect(Object.keys(await renewed).sort()).toEqual(['count', 'jobIds']);
    release.open();
  });
});

if (BACKENDS.includes('postgres')) {
  describe('BullMQ 6 needs the workaround', () => {
    it('patch: a PostgreSQL backend does not reconnect after its first attempt fails', async () => {
      const { createPostgresBackend } = await import('bullmq');
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
}
