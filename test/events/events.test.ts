import { channel } from 'node:diagnostics_channel';
import { Injectable } from '@nestjs/common';
import { EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { afterEach, expect, it } from 'vitest';
import { type IterationMessage, type IterationMessages, iterationChannel } from '../../lib/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues } from '../support/app.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';

type Heard = {
  [E in IterationMessage]: { readonly event: E; readonly message: IterationMessages[E] };
}[IterationMessage];

const EVENTS: readonly IterationMessage[] = [
  'run.start',
  'run.end',
  'run.interrupt',
  'checkpoint',
  'item.failure',
  'item.skip',
  'item.slow',
  'request',
];

const leave: (() => void)[] = [];
afterEach(() => {
  for (const left of leave.splice(0)) left();
});

/** What is published from now on, but for the events of other queues. */
function listen(events = EVENTS): Heard[] {
  const heard: Heard[] = [];
  for (const event of events) {
    const listener = (message: unknown) => {
      heard.push({ event, message } as Heard);
    };
    iterationChannel(event).subscribe(listener);
    leave.push(() => iterationChannel(event).unsubscribe(listener));
  }
  return heard;
}

/** `run.start 1`, with what distinguishes one message from another. */
function line({ event, message }: Heard): string {
  switch (event) {
    case 'run.start':
      return `${event} ${message.run} after ${message.cursor}`;
    case 'run.end':
      return `${event} ${message.run} ${message.outcome}, ${message.items} items`;
    case 'run.interrupt':
      return `${event} ${message.interruption.reason}`;
    case 'checkpoint':
      return `${event} ${message.cursor} ${message.percent} %, ${message.items} items`;
    case 'item.failure':
      return `${event} after ${message.cursor}, try ${message.tries}: ${message.error.message}`;
    case 'item.skip':
      return `${event} ${message.cursor}: ${message.error.message}`;
    case 'item.slow':
      return `${event} after ${message.cursor}`;
    case 'request':
      return `${event} ${message.type} by ${message.by}: ${message.reason}`;
  }
}

function lines(heard: readonly Heard[]): string[] {
  return heard.map(line);
}

describeQueues('events', BACKENDS, (queues) => {
  it('the channels publish runs, checkpoints, failures, skips, interruptions and requests, in order', async () => {
    let failures = 0;
    const { type } = storyProcessor(
      {
        each: async (letter, context) => {
          if (letter === 'b' && context.run === 1) context.retryIn(0);
          if (letter === 'd') throw new Error(`bad ${letter} ${++failures}`);
        },
      },
      {
        itemFailure: { attempts: 2, backoffMs: 0, then: 'skip' },
        checkpoint: { everyMs: 3_600_000 },
      },
    );
    const app = await queues.start({ processors: [type] });
    const heard = listen();
    const job = await app.iterations.enqueue(type, { letters: 'abcde' }, { delay: 3_600_000 });
    await app.iterations.pause(job, { by: 'ann', reason: 'lunch' });
    await app.iterations.pause(job, { by: 'ann', reason: 'lunch' }); // asks for nothing new
    await app.iterations.resume(job, { by: 'bob' });
    await job.promote();
    await app.settled(job);
    await until('the run has ended', () => lines(heard).includes('run.end 2 complete, 3 items'));
    expect(lines(heard).filter((published) => !published.startsWith('checkpoint'))).toEqual([
      'request pause by ann: lunch',
      'request resume by bob: undefined',
      'run.start 1 after null',
      'run.interrupt retryIn',
      'run.end 1 interrupt, 2 items',
      'run.start 2 after 1',
      'item.failure after 2, try 1: bad d 1',
      'item.failure after 2, try 2: bad d 2',
      'item.skip 3: bad d 2',
      'run.end 2 complete, 3 items',
    ]);
    const checkpoints = heard.filter(({ event }) => event === 'checkpoint');
    expect(checkpoints.reduce((items, { message }) => items + (message as { items: number }).items, 0)).toBe(5);
    expect(checkpoints.at(-1)?.message).toMatchObject({ cursor: 4, processed: 4, skipped: 1, percent: 100 });
    const [, , start] = heard;
    expect(start?.message).toMatchObject({
      queue: 'jobs',
      id: job.id,
      name: 'story',
      processor: 'Story',
      worker: expect.stringMatching(/:\d+$/),
      processed: 0,
    });
  });

  it('an error, a cancellation and an empty source end their runs with it', async () => {
    const error = new TypeError('bad');
    const { type, script } = storyProcessor({
      each: () => {
        throw error;
      },
    });
    const app = await queues.start({ processors: [type] });
    const heard = listen(['run.end']);
    await app.settled(await app.iterations.enqueue(type, { letters: 'a' }, { attempts: 2 }));
    script.build = () => null;
    await app.settled(await app.iterations.enqueue(type, {}));
    const cancelled = await app.iterations.enqueue(type, {}, { delay: 3_600_000 });
    await app.iterations.cancel(cancelled, 'enough');
    await app.settled(cancelled);
    expect(lines(heard)).toEqual([
      'run.end 1 retry, 0 items',
      'run.end 2 fail, 0 items',
      'run.end 1 complete, 0 items',
      'run.end 1 cancel, 0 items',
    ]);
    expect(heard.map(({ message }) => (message as IterationMessages['run.end']).error)).toEqual([
      error,
      error,
      undefined,
      expect.objectContaining({ message: 'The job was cancelled: enough' }),
    ]);
  });

  it('an item that takes longer than a shutdown waits is published once, and logged with what to do', async () => {
    const published = new Gate();
    const { type } = storyProcessor({ each: (letter) => (letter === 'b' ? published.wait() : undefined) });
    const app = await queues.start({ processors: [type], iteration: { shutdown: { deadlineMs: 20 } } });
    const heard = listen(['item.slow']);
    const job = await app.iterations.enqueue(type, { letters: 'abc' });
    await until('the slow item is published', () => heard.length > 0);
    published.open();
    await app.settled(job);
    expect(lines(heard)).toEqual(['item.slow after 0']);
    const { handlingMs } = (heard[0] as Heard).message as IterationMessages['item.slow'];
    expect(handlingMs).toBeGreaterThan(20);
    expect(queues.logs.filter((logged) => logged.includes('longer than a shutdown waits'))).toEqual([
      expect.stringMatching(
        /^warn Job .* the item after cursor 0 has been in Story.each for \d+ ms, .*\(20 ms\): .* raise shutdown.deadlineMs$/,
      ),
    ]);
  });

  it('@nestjs/event-emitter hears the same messages under the same names, where it is imported', async () => {
    const heard: unknown[] = [];
    @Injectable()
    class Listener {
      @OnEvent('nestjs-iteration.run.end')
      ended({ outcome, name }: IterationMessages['run.end']) {
        heard.push([name, outcome]);
      }
    }
    const { type } = storyProcessor();
    const app = await queues.start({ processors: [type, Listener], imports: [EventEmitterModule.forRoot()] });
    await app.settled(await app.iterations.enqueue(type, {}));
    expect(heard).toEqual([['story', 'complete']]);
    expect(channel('nestjs-iteration.run.end').hasSubscribers).toBe(false);
  });
});
