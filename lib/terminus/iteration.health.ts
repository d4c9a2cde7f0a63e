import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import type { Job } from 'bullmq';
import { IterationService } from '../control/index.js';
import type { RegisteredQueue } from '../discovery/index.js';
import { check, interval } from '../rules.js';
import { type WorkerHealth, WorkerRegistrar } from '../worker/index.js';

/** When a queue or a job is unhealthy. */
export interface IterationHealthOptions {
  /** Milliseconds. A job that runs in this process is unhealthy when its last checkpoint is older. Default: no limit. */
  maxCheckpointAgeMs?: number;
  /** Milliseconds. A queue is unhealthy when the job that is next in line has waited longer. Default: no limit. */
  maxWaitMs?: number;
}

/** What is shown of each queue. */
interface QueueHealth {
  readonly worker: 'running' | 'not running' | 'none';
  /** Jobs that run in this process. */
  readonly running: number;
  /** Of the job whose last checkpoint is the oldest. */
  readonly checkpointAgeMs?: number;
  /** How long the job that is next in line has waited. */
  readonly waitMs?: number;
  readonly problems: readonly string[];
}

/** How long a server may take to answer. */
const ANSWER_MS = 2_000;

/**
 * Health of the queues whose jobs this application handles, for `@nestjs/terminus`: their workers run, their servers answer,
 * running jobs save checkpoints, and no job waits too long. List it in `providers`, beside the import of `TerminusModule`.
 */
@Injectable()
export class IterationHealthIndicator {
  /** @hidden */
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly application: ModuleRef,
  ) {}

  /**
   * `down`, with a message for people, when something is wrong. An application without workers is not asked for them.
   *
   * @throws InvalidOptionsError
   */
  async isHealthy<const Key extends string>(
    key: Key,
    options: IterationHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    check('isHealthy', options, { maxCheckpointAgeMs: interval, maxWaitMs: interval });
    const { health } = this.application.get(WorkerRegistrar, { strict: false });
    const found = await Promise.all(
      health.map(async (worker) => [worker.queue.name, await this.#healthOf(worker, options)] as const),
    );
    const problems = found.flatMap(([, queue]) => queue.problems);
    const queues = Object.fromEntries(found.map(([name, { problems: _, ...shown }]) => [name, shown]));
    const session = this.indicators.check(key);
    return problems.length === 0 ? session.up({ queues }) : session.down({ message: problems.join('; '), queues });
  }

  async #healthOf(
    { isRunning, queue, runs }: WorkerHealth,
    { maxCheckpointAgeMs = Infinity, maxWaitMs = Infinity }: IterationHealthOptions,
  ): Promise<QueueHealth> {
    const { runsWorkers } = this.application.get(WorkerRegistrar, { strict: false });
    const now = Date.now();
    const problems: string[] = [];
    if (runsWorkers && !isRunning) problems.push(`the worker of queue "${queue.name}" is not running`);
    for (const { checkpointAt, id, name } of runs) {
      const ageMs = now - checkpointAt;
      if (ageMs <= maxCheckpointAgeMs) continue;
      problems.push(`job "${id}" (${name}) of queue "${queue.name}" has saved no checkpoint for ${seconds(ageMs)}`);
    }
    const next = await withinTime(this.#nextInLine(queue)).catch((error: Error) => {
      problems.push(`the server of queue "${queue.name}" does not answer: ${error.message || String(error)}`);
      return undefined;
    });
    const waitMs = next && Math.max(0, now - next.since);
    if (next && waitMs !== undefined && waitMs > maxWaitMs) {
      const { id, name } = next.job;
      problems.push(`job "${id}" (${name}) of queue "${queue.name}" has waited for ${seconds(waitMs)}`);
    }
    return {
      worker: runsWorkers ? (isRunning ? 'running' : 'not running') : 'none',
      running: runs.length,
      ...(runs.length > 0 && { checkpointAgeMs: Math.max(...runs.map(({ checkpointAt }) => now - checkpointAt)) }),
      ...(waitMs !== undefined && { waitMs }),
      problems,
    };
  }

  /** The job that a worker takes next, and since when it waits. The jobs of a paused queue wait for an operator. */
  async #nextInLine({ queue }: RegisteredQueue): Promise<{ job: Job; since: number } | undefined> {
    const [isPaused, [waiting], [prioritized]] = await Promise.all([
      queue.isPaused(),
      queue.getJobs(['waiting'], 0, 0, true),
      queue.getJobs(['prioritized'], 0, 0, true),
    ]);
    const job = (waiting ?? prioritized) as Job | undefined;
    return isPaused || !job ? undefined : { job, since: await this.#waitsSince(job) };
  }

  /** Since it was added, its last run put it back, or an operator asked for something: the latest. */
  async #waitsSince(job: Job): Promise<number> {
    const iterations = this.application.get(IterationService, { strict: false });
    const [runs, requests] = await Promise.all([iterations.runs(job), iterations.requests(job)]);
    const run = runs.at(-1);
    return Math.max(
      job.timestamp + (job.opts.delay ?? 0),
      run?.endedAt === undefined ? 0 : Date.parse(run.endedAt) + (run.interruption?.retryInMs ?? 0),
      Date.parse(requests.at(-1)?.at ?? '1970-01-01'),
    );
  }
}

/** BullMQ waits for a server that is away without limit. */
async function withinTime<T>(answer: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = delay(ANSWER_MS, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`no answer within ${ANSWER_MS} ms`);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    timer.abort();
    for (const promise of [answer, late]) promise.catch(() => {}); // the slower one
  }
}

function seconds(ms: number): string {
  return `${Number((ms / 1_000).toPrecision(3))} s`;
}
