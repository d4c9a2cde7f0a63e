import type { Job } from 'bullmq';
import { RunLog } from '../runtime/index.js';

/** Keeps warnings and errors of hooks, and logs nothing. */
export class CollectedLog extends RunLog {
  constructor(
    job: Job,
    private readonly warnings: string[],
  ) {
    super(job);
  }

  override started(): void {}
  override resumed(): void {}
  override waitsFor(): void {}
  override interrupted(): void {}
  override completed(): void {}
  override cancelled(): void {}
  override failed(): void {}
  override skipped(): void {}
  override lost(): void {}

  override hookFailed(hook: string, event: string, error: unknown): void {
    this.warnings.push(`the ${event} hook ${hook} failed: ${error instanceof Error ? error.message : String(error)}`);
  }

  override warn(message: string): void {
    this.warnings.push(message);
  }
}
