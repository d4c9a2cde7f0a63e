import { BullModule } from '@nestjs/bullmq';
import { Worker } from 'bullmq';

/** The prefix of the lock tokens of a process. */
export function tokensOf(pid: number | undefined): string {
  return `process ${pid}:`;
}

/**
 * Puts the process id into this process's lock tokens: its test expires the locks after its death (`dead-locks.ts`).
 */
export function nameLockTokens(): void {
  BullModule.workerClass = class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      (this as { id: string }).id = tokensOf(process.pid).slice(0, -1);
    }
  } as typeof Worker;
}
