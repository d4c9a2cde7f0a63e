import type { InterruptionRequest } from './interruption.js';
import type { IterationContext, IterationEvent, IterationEvents } from './iteration.context.js';
import type { ProcessorDefinition } from './processor.definition.js';
import type { RunLog } from './run.log.js';

/** A processor's hooks, as one run calls them. */
export class RunHooks {
  constructor(
    private readonly hooks: ProcessorDefinition['hooks'],
    private readonly context: IterationContext,
    private readonly parts: { readonly interruption: InterruptionRequest; readonly log: RunLog },
  ) {}

  /** Hooks that fail the attempt. @returns what the last of them that returned anything did. */
  async call<E extends IterationEvent>(event: E, detail: IterationEvents[E]): Promise<unknown> {
    let result: unknown;
    for (const hook of this.hooks[event]) result = (await hook.call(this.context, detail)) ?? result;
    return result;
  }

  /** Hooks that keep no job from settling (R7), nor a shutdown beyond its deadline. */
  async callQuietly<E extends IterationEvent>(event: E, detail: IterationEvents[E]): Promise<void> {
    const { interruption, log } = this.parts;
    for (const hook of this.hooks[event]) {
      try {
        await interruption.untilAbandoned(hook.call(this.context, detail));
      } catch (error) {
        log.hookFailed(hook.name, event, error);
      }
    }
  }
}
