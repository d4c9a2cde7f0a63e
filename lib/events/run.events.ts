import type { Publisher } from './event.publisher.js';
import type { IterationMessages, RunFacts, RunMessage } from './messages.js';

/** Publishes the events of one run. */
export class RunEvents {
  constructor(
    private readonly publisher: Publisher,
    private readonly facts: RunFacts,
  ) {}

  /** @param details What the message says besides the run; asked for only while somebody listens. */
  publish<E extends RunMessage>(event: E, details: () => Omit<IterationMessages[E], keyof RunFacts>): void {
    this.publisher.publish(event, () => ({ ...this.facts, ...details() }) as unknown as IterationMessages[E]);
  }
}
