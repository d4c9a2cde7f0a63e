import { expect, it } from 'vitest';
import { IterationError } from '../../lib/index.js';
import { Gate, TestWorker, untilState } from '../../lib/testing/index.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { storyProcessor } from '../support/story.js';

/** A story whose handler waits at the letter c of the first run. */
function heldStory() {
  const gate = new Gate();
  let isHeld = true;
  const each = async (letter: string) => {
    if (letter !== 'c' || !isHeld) return;
    isHeld = false;
    await gate.wait();
  };
  return { gate, ...storyProcessor({ each }, { worker: { lockDuration: 2_000, stalledInterval: 250 } }) };
}

describeQueues('TestWorker', BACKENDS, (queues) => {
  it('R5: interrupt() ends a run as a deploy does, and resume() takes the job again', async () => {
    const { gate, story, type } = heldStory();
    const app = await queues.start({ processors: [type] });
    const worker = TestWorker.of(app.nest, 'jobs');
    const job = await app.queue().add('story', {});
    await gate.reached;
    expect((await untilState(app.nest, job, 'running')).run).toBe(1);
    const interrupted = worker.interrupt();
    gate.open();
    await interrupted;
    expect(await untilState(app.nest, job, 'interrupted')).toMatchObject({ cursor: 2, processed: 3, interruptions: 1 });
    expect(story).toEqual(['start', 'a', 'b', 'c', 'interrupt shutdown', 'end interrupt']);
    worker.resume();
    expect(await untilState(app.nest, job, 'completed')).toMatchObject({ processed: 5, run: 2 });
    expect(story.slice(6)).toEqual(['resume', 'd', 'e', 'complete', 'end complete']);

    await worker.interrupt();
    worker.resume();
    worker.resume();
    await TestWorker.of(app.nest, 'jobs').interrupt();
    worker.resume();
    const next = await app.queue().add('story', { letters: 'xy' });
    expect(await untilState(app.nest, next, 'completed')).toMatchObject({ processed: 2 });
  });

  it('R20: after loseLocks() a run ends without a checkpoint, and the job is resumed after its last one', async () => {
    const { gate, story, type } = heldStory();
    const app = await queues.start({ processors: [type] });
    const worker = TestWorker.of(app.nest, 'jobs');
    const job = await app.queue().add('story', {});
    await gate.reached;
    worker.loseLocks();
    gate.open();
    expect(await untilState(app.nest, job, 'completed')).toMatchObject({ processed: 5, run: 2 });
    expect(story.join(' ')).toBe('start a b c resume a b c d e complete end complete');
  });

  it('untilState throws when the job ends in another state, and TestWorker names a queue without a worker', async () => {
    const { type } = storyProcessor({
      each: () => {
        throw new Error('no such letter');
      },
    });
    const app = await queues.start({ processors: [type] });
    const job = await app.queue().add('story', {});
    await expect(untilState(app.nest, job, 'completed', 'paused')).rejects.toThrow(
      new IterationError(`Job "${job.id}" is failed, and the test waits for completed or paused: no such letter`),
    );
    expect(() => TestWorker.of(app.nest, 'other')).toThrow(/runs no worker of the queue "other"/);
  });
});
