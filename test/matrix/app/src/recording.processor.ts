import { once } from 'node:events';
import { OnIteration } from 'nestjs-iteration';

/** The first worker is stopped in this item. */
const STOP_AT = 50;

/** Prints its items and hooks: `rows start`, `rows 1`, `rows 2`. */
export abstract class RecordingProcessor {
  constructor(private readonly kind: 'lines' | 'rows') {}

  protected async record(item: number): Promise<void> {
    if (item === STOP_AT && process.env.STOPS === 'yes') {
      this.print('waits');
      await once(process, 'SIGTERM');
    }
    this.print(item);
  }

  @OnIteration('start')
  start(): void {
    this.print('start');
  }

  @OnIteration('resume')
  resume(): void {
    this.print('resume');
  }

  @OnIteration('complete')
  complete(): void {
    this.print('complete');
  }

  private print(what: string | number): void {
    console.log(`${this.kind} ${what}`);
  }
}
