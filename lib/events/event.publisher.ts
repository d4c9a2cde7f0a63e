import { type Channel, channel } from 'node:diagnostics_channel';
import { Injectable, Logger } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { IterationMessage, IterationMessages } from './messages.js';

/** `nestjs-iteration.run.start` and so on. */
type EventName<E extends IterationMessage> = `nestjs-iteration.${E}`;

/** Publishes a message, if anybody listens. */
export interface Publisher {
  publish<E extends IterationMessage>(event: E, message: () => IterationMessages[E]): void;
}

/** `EventEmitter2` of `@nestjs/event-emitter`, as far as it is used. */
interface Emitter {
  emit(event: string, message: unknown): unknown;
}

const EVENTS: { readonly [E in IterationMessage]: EventName<E> } = {
  'run.start': 'nestjs-iteration.run.start',
  'run.end': 'nestjs-iteration.run.end',
  'run.interrupt': 'nestjs-iteration.run.interrupt',
  checkpoint: 'nestjs-iteration.checkpoint',
  'item.failure': 'nestjs-iteration.item.failure',
  'item.skip': 'nestjs-iteration.item.skip',
  'item.slow': 'nestjs-iteration.item.slow',
  request: 'nestjs-iteration.request',
};

/** A channel of `node:diagnostics_channel` that knows what is published on it. */
export interface IterationChannel<E extends IterationMessage> extends Omit<Channel, 'subscribe' | 'unsubscribe'> {
  readonly name: EventName<E>;
  /** Calls `listener` with each message, in the process that publishes it. */
  subscribe(listener: (message: IterationMessages[E], name: string) => void): void;
  /** Returns whether the listener was subscribed. */
  unsubscribe(listener: (message: IterationMessages[E], name: string) => void): boolean;
}

/**
 * The channel of `node:diagnostics_channel` on which an event is published, named `nestjs-iteration.` and the event. A message
 * is made only while somebody listens. A listener that throws is an uncaught exception of its process: so it is with every
 * channel of Node.
 */
export function iterationChannel<E extends IterationMessage>(event: E): IterationChannel<E> {
  return channel(EVENTS[event]) as unknown as IterationChannel<E>;
}

const CHANNELS = Object.fromEntries(Object.entries(EVENTS).map(([event, name]) => [event, channel(name)])) as Readonly<
  Record<IterationMessage, Channel>
>;

/** Publishes on Node's channels, and to `@nestjs/event-emitter` where the application imports it, under the same names. */
@Injectable()
export class EventPublisher implements Publisher {
  readonly #logger = new Logger('Iteration');
  /** `null`: looked for, and not there. */
  #emitter: Emitter | null | undefined;

  constructor(private readonly modules: ModulesContainer) {}

  publish<E extends IterationMessage>(event: E, message: () => IterationMessages[E]): void {
    if (this.#emitter === undefined) this.#emitter = this.#findEmitter();
    const { [event]: listeners } = CHANNELS;
    if (!this.#emitter && !listeners.hasSubscribers) return;
    const made = message();
    listeners.publish(made);
    try {
      this.#emitter?.emit(EVENTS[event], made);
    } catch (error) {
      this.#logger.error(`A listener of ${EVENTS[event]} failed: ${String(error)}`);
    }
  }

  /** By the module's name, so that the package need not be installed. */
  #findEmitter(): Emitter | null {
    const module = [...this.modules.values()].find(({ name }) => name === 'EventEmitterModule');
    const instances = [...(module?.providers.values() ?? [])].map(
      ({ instance }) => instance as Partial<Emitter> | null,
    );
    return (instances.find((instance) => instance?.emit) as Emitter | undefined) ?? null;
  }
}
