import type { IterationEvent, IterationEvents } from '../definition/index.js';
import { called } from '../enumerators/contract/index.js';
import type { RunContext } from './run.context.js';
import type { RunInputs } from './run.inputs.js';

interface HookedRun extends Pick<RunInputs, 'definition' | 'interruption' | 'lock' | 'log'> {
  readonly context: RunContext;
}

/** A processor's hooks, as one run calls them. Once the lock is lost they are the next run's to call. */
export class RunHooks {
  constructor(private readonly run: HookedRun) {}

  /**
   * Calls hooks whose errors fail the attempt.
   *
   * @returns the result of the last hook that returned one.
   * @throws LockLostError when the lock was lost before one of them, or in the last
   */
  async call<E extends IterationEvent>(event: E, detail: IterationEvents[E]): Promise<unknown> {
    const { context, definition, interruption, lock } = this.run;
    let result: unknown;
    for (const hook of definition.hooks[event]) {
      lock.assertHeld();
      const call = () => called(hook.name, () => hook.call(context, detail));
      result = (await interruption.callHook(call)) ?? result;
    }
    lock.assertHeld();
    return result;
  }

  /**
   * Calls hooks whose errors are logged: they keep no job from ending (R7), nor a shutdown beyond its deadline.
   *
   * @throws LockLostError
   */
  async callQuietly<E extends IterationEvent>(event: E, detail: IterationEvents[E]): Promise<void> {
    const { context, definition, interruption, lock, log } = this.run;
    for (const hook of definition.hooks[event]) {
      lock.assertHeld();
      try {
        await interruption.untilAbandoned(interruption.callHook(() => hook.call(context, detail)));
      } catch (error) {
        log.hookFailed(hook.name, event, error);
      }
    }
  }
}
