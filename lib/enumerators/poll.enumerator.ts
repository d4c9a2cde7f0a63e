import { setTimeout as delay } from 'node:timers/promises';
import { InvalidOptionsError } from '../iteration.errors.js';
import { aFunction, check, timer } from '../rules.js';
import { called, type Enumerator, type PageReader, type Source, SourceEnumerator } from './contract/index.js';

/** How a queue without a cursor is read. */
export interface PollOptions<Item> {
  /** How long to wait before the next `fetch` when the queue is empty, in milliseconds. Default 0: empty ends the job. */
  idleMs?: number;
  /** Called when an item is finished. Until then the queue should be able to deliver it again. */
  ack?: (item: Item) => Promise<void>;
}

/** What `fetch` takes from a queue, one by one, until it returns `null` or `undefined`. There is no cursor. */
export function pollEnumerator<Item>(
  fetch: () => Promise<Item | null | undefined>,
  options: PollOptions<Item> = {},
): Enumerator<Item, null> {
  const { idleMs = 0, ack } = options;
  if (typeof fetch !== 'function') throw new InvalidOptionsError('poll: give it a function that takes the next item');
  check('poll', options, { idleMs: timer, ack: aFunction });
  return new SourceEnumerator(new Poll(fetch, { idleMs, ack }), null);
}

class Poll<Item> implements Source<Item, null> {
  constructor(
    private readonly fetch: () => Promise<Item | null | undefined>,
    private readonly options: { readonly idleMs: number; readonly ack: PollOptions<Item>['ack'] },
  ) {}

  /** Nothing is read ahead: an item that was taken and not handled could be lost. */
  read(): PageReader<Item, null> {
    const { idleMs, ack } = this.options;
    const closed = new AbortController();
    return {
      destructiveRead: true,
      next: async () => {
        while (!closed.signal.aborted) {
          const item = await called('fetch of poll', this.fetch);
          if (item !== null && item !== undefined) {
            return {
              items: [item],
              cursorAt: () => null,
              ...(ack && { ack: () => called('ack of poll', () => ack(item)) }),
            };
          }
          if (idleMs === 0) return undefined;
          await delay(idleMs, undefined, { signal: closed.signal }).catch(() => {});
        }
        return undefined;
      },
      close: () => closed.abort(),
    };
  }
}
