import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { IterationService, type IterationStatus, JobNotFoundError } from 'nestjs-iteration';
import { Terminal } from './terminal.js';

/** A job of the sample, and how many items it will have handled. */
export interface Step {
  readonly id: string;
  readonly total: number;
}

export type Outcome = 'completed' | 'failed' | 'closing';

const EVERY_MS = 200;

/** Follows jobs, in whatever process they run, and shows their progress. */
@Injectable()
export class Progress implements OnModuleDestroy, OnApplicationShutdown {
  #closing = false;
  #following: Promise<unknown> | undefined;

  constructor(
    private readonly iterations: IterationService,
    private readonly terminal: Terminal,
  ) {}

  /** @returns the outcome of the jobs; `closing` when the application ends before them. */
  follow(steps: readonly Step[]): Promise<Outcome> {
    const following = this.#follow(steps);
    this.#following = following;
    return following;
  }

  async onModuleDestroy(): Promise<void> {
    this.#closing = true;
    await this.#following?.catch(() => {}); // the last status, while the queue is open
  }

  onApplicationShutdown(signal?: string): void {
    this.terminal.endBars();
    if (signal) this.terminal.log(`Stopped by ${signal}. To resume: npm run sample`);
  }

  async #follow(steps: readonly Step[]): Promise<Outcome> {
    for (;;) {
      const statuses = await Promise.all(steps.map(({ id }) => this.#statusOf(id)));
      for (const [index, step] of steps.entries()) this.#show(step, statuses[index]);
      const failed = statuses.filter((status) => status?.state === 'failed');
      for (const status of failed) this.terminal.log(`${status?.id} failed: ${status?.failedReason}`);
      if (failed.length > 0) return 'failed';
      if (statuses.every((status) => status?.state === 'completed')) return 'completed';
      if (this.#closing) return 'closing';
      await delay(EVERY_MS);
    }
  }

  #show({ id, total }: Step, status: IterationStatus | undefined): void {
    const { state, processed = 0, run = 0, itemsPerSecond } = status ?? {};
    const rate = state === 'running' && itemsPerSecond ? `${Math.round(itemsPerSecond)}/s` : (state ?? 'waiting');
    this.terminal.show(id, { done: processed, total, note: run > 1 ? `${rate}, run ${run}` : rate });
  }

  /** Undefined for a job that does not exist yet: its import adds it. */
  async #statusOf(id: string): Promise<IterationStatus | undefined> {
    try {
      return await this.iterations.status({ queue: 'sample', id });
    } catch (error) {
      if (error instanceof JobNotFoundError) return undefined;
      throw error;
    }
  }
}
