import { Body, Controller, Get, HttpCode, Inject, Post, Query, UseGuards, UseInterceptors } from '@nestjs/common';
import {
  type BulkResult,
  type ControlEvent,
  type IterationRun,
  IterationService,
  type IterationStatus,
} from '../control/index.js';
import type { DeadLetter } from '../dead-letters/index.js';
import { AccessGuard } from './access.guard.js';
import { AnswerInterceptor } from './answer.interceptor.js';
import {
  readBulk,
  readCancel,
  readEnqueue,
  readJob,
  readList,
  readPage,
  readPause,
  readRedrive,
  readRestart,
  readResume,
  readTune,
} from './api.requests.js';
import { BOARD_OPTIONS, type ResolvedBoardOptions } from './board.options.js';
import { type BoardQueue, BoardQueues } from './board.queues.js';
import { ChangeGuard, TokenGuard } from './request.guards.js';

interface NewJob {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
}

/** IterationService over HTTP. A job is named by `queue` and `id` in the query or the body, whatever characters its id has. */
@Controller()
@UseGuards(AccessGuard, TokenGuard, ChangeGuard)
@UseInterceptors(AnswerInterceptor)
export class ApiRoutes {
  constructor(
    private readonly iterations: IterationService,
    private readonly boardQueues: BoardQueues,
    @Inject(BOARD_OPTIONS) private readonly options: ResolvedBoardOptions,
  ) {}

  @Get('api/queues')
  async queues(): Promise<{ readOnly: boolean; queues: readonly BoardQueue[] }> {
    return { readOnly: this.options.readOnly, queues: await this.boardQueues.list() };
  }

  /** A page of a queue's jobs, and where the next page starts. */
  @Get('api/jobs')
  async jobs(@Query() query: unknown): Promise<{ jobs: readonly IterationStatus[]; next: number | null }> {
    const { queue, start, limit, ...filter } = readList(query);
    const jobs = await this.iterations.list(queue, { ...filter, start, end: start + limit });
    return { jobs: jobs.slice(0, limit), next: jobs.length > limit ? start + limit : null };
  }

  @Get('api/job')
  async job(
    @Query() query: unknown,
  ): Promise<{ status: IterationStatus; runs: readonly IterationRun[]; requests: readonly ControlEvent[] }> {
    const job = readJob(query);
    const [status, runs, requests] = await Promise.all([
      this.iterations.status(job),
      this.iterations.runs(job),
      this.iterations.requests(job),
    ]);
    return { status, runs, requests };
  }

  /** A page of a job's dead letters. They outlive the job. */
  @Get('api/dead-letters')
  async deadLetters(@Query() query: unknown): Promise<{ letters: readonly DeadLetter[]; next: number | null }> {
    const { job, start, limit } = readPage(query);
    const letters = await this.iterations.deadLetters(job, { start, end: start + limit });
    return { letters: letters.slice(0, limit), next: letters.length > limit ? start + limit : null };
  }

  @Post('api/pause')
  @HttpCode(200)
  async pause(@Body() body: unknown): Promise<IterationStatus> {
    const { job, ...asked } = readPause(body);
    await this.iterations.pause(job, asked);
    return this.iterations.status(job);
  }

  @Post('api/resume')
  @HttpCode(200)
  async resume(@Body() body: unknown): Promise<IterationStatus> {
    const { job, ...asked } = readResume(body);
    await this.iterations.resume(job, asked);
    return this.iterations.status(job);
  }

  @Post('api/cancel')
  @HttpCode(200)
  async cancel(@Body() body: unknown): Promise<IterationStatus> {
    const { job, ...asked } = readCancel(body);
    await this.iterations.cancel(job, asked);
    return this.iterations.status(job);
  }

  @Post('api/restart')
  @HttpCode(200)
  async restart(@Body() body: unknown): Promise<IterationStatus> {
    const { job, ...from } = readRestart(body);
    await this.iterations.restart(job, from);
    return this.iterations.status(job);
  }

  @Post('api/tune')
  @HttpCode(200)
  async tune(@Body() body: unknown): Promise<IterationStatus> {
    const { job, settings } = readTune(body);
    await this.iterations.tune(job, settings);
    return this.iterations.status(job);
  }

  @Post('api/redrive')
  async redrive(@Body() body: unknown): Promise<NewJob> {
    return newJob(await this.iterations.redrive(readRedrive(body)));
  }

  @Post('api/enqueue')
  async enqueue(@Body() body: unknown): Promise<NewJob> {
    const { queue, name, data, ...options } = readEnqueue(body);
    return newJob(await this.iterations.enqueue(this.boardQueues.processor(queue, name), data, options));
  }

  @Post('api/bulk')
  @HttpCode(200)
  async bulk(@Body() body: unknown): Promise<BulkResult> {
    const { queue, action, ...filter } = readBulk(body);
    return this.iterations.bulk(queue, action, filter);
  }
}

function newJob({ id, name, queueName }: { id?: string; name: string; queueName: string }): NewJob {
  return { queue: queueName, id: id as string, name };
}
