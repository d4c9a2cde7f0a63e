import type { Clock } from '../clock.js';
import type { IterationContext, IterationEvent, IterationEvents, ProcessorDefinition } from '../definition/index.js';
import { called } from '../enumerators/contract/index.js';
import type { InterruptionRequest, Lock } from '../interruption/index.js';
import { IterationError } from '../iteration.errors.js';
import type { RunLog } from './run.log.js';

export interface HooksParts {
  readonly interruption: InterruptionRequest;
  readonly lock: Lock;
  readonly clock: Clock;
  readonly log: RunLog;
}

/** A processor's hooks, as one run calls them: none of them when the lock is lost, since they are the next run's to call. */
export class RunHooks {
  constructor(
    private readonly hooks: ProcessorDefinition['hooks'],
    private readonly context: IterationContext,
    private readonly parts: HooksParts,
  ) {}

  /**
   * Hooks that fail the attempt.
   *
   * @returns what the last of them that returned anything did.
   * @throws IterationError when the lock was lost before one of them, or in the last: the run ends without a word.
   */
  async call<E extends IterationEvent>(event: E, detail: IterationEvents[E]): Promise<unknown> {
    let result: unknown;
    for (const hook of this.hooks[event]) {
      this.#checkLock(hook.name);
      const call = () => called(hook.name, () => hook.call(this.context, detail));
      result = (await this.parts.interruption.callHook(call)) ?? result;
    }
    this.#checkLock(`The ${event} event`);
    return result;
  }

  /** Hooks that keep no job from settling (R7), nor a shutdown beyond its deadline. */
  async callQuietly<E extends IterationEvent>(event: E, detail: IterationEvents[E]): Promise<void> {
    const { clock, interruption, lock, log } = this.parts;
    for (const hook of this.hooks[event]) {
      if (!lock.check(clock.now())) return;
      try {
        await interruption.untilAbandoned(interruption.callHook(() => hook.call(this.context, detail)));
      } catch (error) {
        log.hookFailed(hook.name, event, error);
      }
    }
  }

  #checkLock(what: string): void {
    const { clock, lock } = this.parts;
    if (!lock.check(clock.now())) throw new IterationError(`${what} is another run's: the lock of the job is lost`);
  }
}
