import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Controller, Get, type INestApplication, Module, Query, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import type { Queue } from 'bullmq';
import { afterEach, expect, it } from 'vitest';
import { InvalidOptionsError, IterationModule, type IterationOptions, IterationService } from '../../lib/index.js';
import { IterationHealthIndicator } from '../../lib/terminus/index.js';
import { Gate } from '../../lib/testing/gate.js';
import { BACKENDS, describeQueues, type QueuePlace } from '../support/app.js';
import { Network } from '../support/network.js';
import { storyProcessor } from '../support/story.js';
import { until } from '../support/until.js';
import { recordWorkers } from '../support/workers.js';

interface Answer {
  readonly status: number;
  readonly body: {
    readonly status: string;
    readonly details: { readonly iterations: Readonly<Record<string, unknown>> };
  };
}

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly iterations: IterationHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check(@Query() query: Record<string, string>) {
    const options = Object.fromEntries(Object.entries(query).map(([name, value]) => [name, Number(value)]));
    return this.health.check([() => this.iterations.isHealthy('iterations', options)]);
  }
}

/** No test takes as long. */
const LONG_MS = 600_000;

describeQueues('IterationHealthIndicator', BACKENDS, (queues) => {
  const workers = recordWorkers();
  const gates: Gate[] = [];
  const apps: INestApplication[] = [];
  const networks: Network[] = [];
  afterEach(async () => {
    for (const gate of gates.splice(0)) gate.open();
    await Promise.all(apps.splice(0).map((app) => app.close()));
    for (const network of networks.splice(0)) network.cut();
  });

  async function serve(types: Type[], place: QueuePlace = queues.place, iteration: IterationOptions = {}) {
    @Module({
      imports: [
        BullModule.forRoot(place as never),
        BullModule.registerQueue({ name: 'jobs' }),
        IterationModule.forRoot(iteration),
        TerminusModule.forRoot({ logger: false }),
      ],
      controllers: [HealthController],
      providers: [IterationHealthIndicator, ...types],
    })
    class HealthApp {}
    const app = await NestFactory.create(HealthApp, { logger: false, abortOnError: false });
    apps.push(app);
    app.get<Queue>(getQueueToken('jobs')).on('error', () => {}); // its server may be away
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const ask = async (options: Record<string, number> = {}): Promise<Answer> => {
      const query = new URLSearchParams(
        Object.fromEntries(Object.entries(options).map(([name, value]) => [name, String(value)])),
      );
      const response = await fetch(`${url}/health?${query}`);
      return { status: response.status, body: (await response.json()) as Answer['body'] };
    };
    return { app, iterations: app.get(IterationService), ask };
  }

  function held() {
    const gate = new Gate();
    gates.push(gate);
    return { gate, type: storyProcessor({ each: () => gate.wait() }).type };
  }

  it('the check answers 200 with the worker, the running jobs and the age of their checkpoints', async () => {
    const { gate, type } = held();
    const { ask, iterations } = await serve([type]);
    const limits = { maxCheckpointAgeMs: LONG_MS, maxWaitMs: LONG_MS };
    expect(await ask(limits)).toMatchObject({
      status: 200,
      body: {
        status: 'ok',
        details: { iterations: { status: 'up', queues: { jobs: { worker: 'running', running: 0 } } } },
      },
    });
    await iterations.enqueue(type, {}, { jobId: 'held' });
    await gate.reached;
    const { status, body } = await ask(limits);
    expect(status).toBe(200);
    expect(body.details.iterations).toEqual({
      status: 'up',
      queues: { jobs: { worker: 'running', running: 1, checkpointAgeMs: expect.any(Number) } },
    });
  });

  it('a worker that is closed gives 503 and a message that names its queue', async () => {
    const { ask } = await serve([storyProcessor().type]);
    expect((await ask()).status).toBe(200);
    await workers[0]?.close();
    expect(await ask()).toMatchObject({
      status: 503,
      body: {
        status: 'error',
        details: {
          iterations: {
            status: 'down',
            message: 'the worker of queue "jobs" is not running',
            queues: { jobs: { worker: 'not running' } },
          },
        },
      },
    });
  });

  it('a server that is away gives 503, and 200 when it is back', async () => {
    const { place, network } = await throughNetwork(queues.place);
    networks.push(network);
    const { ask } = await serve([storyProcessor().type], place);
    expect((await ask()).status).toBe(200);
    network.cut();
    const away = await ask();
    expect(away.status).toBe(503);
    expect(away.body.details.iterations.message).toMatch(/^the server of queue "jobs" does not answer: ./);
    await network.restore();
    await until('the check answers 200', async () => (await ask()).status === 200);
  });

  it('a running job whose last checkpoint is too old gives 503 and names the job', async () => {
    const { gate, type } = held();
    const { ask, iterations } = await serve([type]);
    await iterations.enqueue(type, {}, { jobId: 'stuck' });
    await gate.reached;
    const late = await until('the checkpoint is late', async () => {
      const answer = await ask({ maxCheckpointAgeMs: 1 });
      return answer.status === 503 && answer;
    });
    expect(late.body.details.iterations.message).toMatch(
      /^job "stuck" \(story\) of queue "jobs" has saved no checkpoint for [\d.]+ s$/,
    );
    expect((await ask({ maxCheckpointAgeMs: LONG_MS })).status).toBe(200);
  });

  it('the age is counted from the last checkpoint', async () => {
    const [first, second] = [new Gate(), new Gate()];
    gates.push(first, second);
    const each = (letter: string) => (letter === 'a' ? first.wait() : second.wait());
    const { type } = storyProcessor({ each }, { checkpoint: { everyItems: 1 } });
    const { ask, iterations } = await serve([type]);
    const ageMs = async () => {
      const { queues: shown } = (await ask()).body.details.iterations as {
        queues: { jobs: { checkpointAgeMs: number } };
      };
      return shown.jobs.checkpointAgeMs;
    };
    await iterations.enqueue(type, { letters: 'ab' });
    await first.reached;
    await until('the run has no checkpoint for a while', async () => (await ageMs()) > 300);
    const openedAt = Date.now();
    first.open();
    await second.reached;
    const age = await ageMs();
    expect(age).toBeLessThanOrEqual(Date.now() - openedAt);
  });

  it('a job that waits too long for a worker gives 503; one of a paused queue, or a delayed one, does not', async () => {
    const { gate, type } = held();
    const { app, ask, iterations } = await serve([type]);
    await iterations.enqueue(type, {}, { jobId: 'first' });
    await gate.reached;
    await iterations.enqueue(type, {}, { jobId: 'later', delay: LONG_MS });
    expect((await ask({ maxWaitMs: 1 })).status).toBe(200);
    await iterations.enqueue(type, {}, { jobId: 'second' });
    const waiting = await until('the second job waits too long', async () => {
      const answer = await ask({ maxWaitMs: 1 });
      return answer.status === 503 && answer;
    });
    expect(waiting.body.details.iterations.message).toMatch(
      /^job "second" \(story\) of queue "jobs" has waited for [\d.]+ s$/,
    );
    expect((await ask({ maxWaitMs: LONG_MS })).status).toBe(200);
    await app.get<Queue>(getQueueToken('jobs')).pause();
    expect((await ask({ maxWaitMs: 1 })).status).toBe(200);
  });

  it('a job waits since its last run put it back, not since it was added', async () => {
    const { type } = storyProcessor({ each: (_, context) => context.retryIn(LONG_MS) });
    const worker = await queues.start({ processors: [type] });
    const job = await worker.iterations.enqueue(type, {}, { jobId: 'again' });
    await worker.settled(job, ['delayed']);
    await worker.close();
    const web = await serve([type], queues.place, { workers: false });
    await (await web.app.get<Queue>(getQueueToken('jobs')).getJob('again'))?.promote();
    expect((await web.ask({ maxWaitMs: 1 })).status).toBe(200);
  });

  it('an application without workers is not asked for them', async () => {
    const { ask } = await serve([storyProcessor().type], queues.place, { workers: false });
    expect(await ask()).toMatchObject({
      status: 200,
      body: { details: { iterations: { queues: { jobs: { worker: 'none', running: 0 } } } } },
    });
  });

  it('an unknown option is refused, with the nearest known one', async () => {
    const { app } = await serve([]);
    const asked = app.get(IterationHealthIndicator).isHealthy('iterations', { maxCheckpointAge: 1 } as never);
    await expect(asked).rejects.toThrow(InvalidOptionsError);
    await expect(asked).rejects.toThrow('isHealthy: unknown option "maxCheckpointAge"');
  });
});

/** The same place, through a connection that can be cut. */
async function throughNetwork({ connection, ...place }: QueuePlace): Promise<{ place: QueuePlace; network: Network }> {
  const { connectionString, port } = connection as { connectionString?: string; port?: number };
  if (!connectionString) {
    const network = await Network.to(port as number);
    return { network, place: { ...place, connection: { ...connection, port: network.port } } };
  }
  const url = new URL(connectionString);
  const network = await Network.to(Number(url.port || 5432));
  url.port = String(network.port);
  return { network, place: { ...place, connection: { ...connection, connectionString: url.href } } };
}
