import { BullModule } from '@nestjs/bullmq';
import { Worker } from 'bullmq';

/** What the tokens of a process begin with. */
export function tokensOf(pid: number | undefined): string {
  return `process ${pid}:`;
}

/** The tokens of the locks that this process takes name it: when it has died, its test ends them (`dead-locks.ts`). */
export function nameLockTokens(): void {
  BullModule.workerClass = class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      (this as { id: string }).id = tokensOf(process.pid).slice(0, -1);
    }
  } as typeof Worker;
}
