import type { CheckpointWriter, ProgressTracker, RunTimes } from '../checkpoint/index.js';
import type { RunEvents } from '../events/index.js';
import type { RunInputs } from './run.inputs.js';

interface WarnedRun extends Pick<RunInputs, 'clock' | 'definition' | 'lastCheckpoint' | 'shutdownDeadlineMs'> {
  readonly checkpoint: Pick<CheckpointWriter, 'current'>;
  readonly events: Pick<RunEvents, 'publish'>;
  readonly log: { warn(message: string): void };
  readonly progress: ProgressTracker;
  readonly times: Pick<RunTimes, 'current'>;
}

const LOOK_MS = 1_000;
/** A checkpoint that is this many times later than asked for is late... */
const LATE = 10;
/** ... but never within this time: a loaded machine is late by seconds. */
const NEVER_LATE_MS = 10_000;

/**
 * Warns of what would hurt at the next shutdown or crash: an item that takes longer than a shutdown waits for it, and a
 * checkpoint that is late. It looks at what the run notes anyway, and costs nothing for an item.
 */
export class RunWarnings {
  readonly #looks: NodeJS.Timeout;
  /** Items finished, and handling time, when the last item was finished. */
  #finished: number;
  #handlingMs: number;
  #isSlow = false;
  #isLate = false;

  constructor(private readonly run: WarnedRun) {
    this.#finished = run.progress.finished;
    this.#handlingMs = run.times.current.handlingMs;
    const everyMs = Math.max(1, Math.min(LOOK_MS, run.shutdownDeadlineMs / 2));
    this.#looks = setInterval(() => this.#look(), everyMs).unref();
  }

  end(): void {
    clearInterval(this.#looks);
  }

  #look(): void {
    this.#lookAtItem();
    this.#lookAtCheckpoint();
  }

  /** Once for each slow item. With items in flight, it is the oldest one. */
  #lookAtItem(): void {
    const { definition, events, log, progress, shutdownDeadlineMs, times } = this.run;
    const { handlingMs: now } = times.current;
    if (progress.finished !== this.#finished) {
      this.#finished = progress.finished;
      this.#handlingMs = now;
      this.#isSlow = false;
      return;
    }
    const handlingMs = now - this.#handlingMs;
    if (this.#isSlow || handlingMs <= shutdownDeadlineMs) return;
    this.#isSlow = true;
    const { cursor } = progress;
    events.publish('item.slow', () => ({ cursor, handlingMs }));
    log.warn(
      `the item after cursor ${JSON.stringify(cursor)} has been in ${definition.handlerName} for ${Math.round(handlingMs)} ms, longer than a ` +
        `shutdown waits (${shutdownDeadlineMs} ms): a deploy would abort it, and it would be handled again. Make items smaller, stop on ` +
        'context.signal, or raise shutdown.deadlineMs',
    );
  }

  /** Once in a run. */
  #lookAtCheckpoint(): void {
    const { checkpoint, clock, definition, lastCheckpoint, log, progress } = this.run;
    const unsaved = progress.current.itemsSeen - checkpoint.current.passed;
    const lateMs = clock.now() - lastCheckpoint.at;
    const allowedMs = Math.max(NEVER_LATE_MS, LATE * definition.options.checkpoint.everyMs);
    if (this.#isLate || unsaved <= 0 || lateMs <= allowedMs) return;
    this.#isLate = true;
    log.warn(
      `its last checkpoint was saved ${Math.round(lateMs / 1_000)} s ago, and ${unsaved} items were finished since: a crash would repeat ` +
        'them. Either its backend does not answer, or an item takes that long',
    );
  }
}
