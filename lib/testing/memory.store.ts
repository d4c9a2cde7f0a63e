import type { CheckpointStore } from '../checkpoint/index.js';
import type { Clock } from '../clock.js';
import type { MemoryQueue } from './memory.queue.js';

interface MemoryStoreOptions {
  readonly clock: Clock;
  /** Called with each saved checkpoint, as JSON gives it back. */
  readonly onSave: (document: object) => void;
}

/** Checkpoints of jobs in a {@link MemoryQueue}: nobody else has their locks. */
export class MemoryStore implements CheckpointStore {
  /** There is no other job. */
  readonly references: CheckpointStore['references'] = {
    releaseDeduplication: async () => {},
    reclaimDeduplication: async () => {},
    predecessor: async () => undefined,
    detachScheduler: async () => {},
  };

  constructor(
    private readonly queue: MemoryQueue,
    private readonly options: MemoryStoreOptions,
  ) {}

  async save({ id }: { readonly id?: string }, _token: string, document: object): Promise<boolean> {
    const record = this.queue.record(id as string);
    if (!record) return false;
    record.progress = JSON.stringify(document);
    this.options.onSave(JSON.parse(record.progress) as object);
    return true;
  }

  async noteSurvivor(): Promise<void> {}

  async survivors(): Promise<readonly number[]> {
    return [];
  }

  async saveParts({ id }: { readonly id?: string }, _token: string, parts: string): Promise<boolean> {
    return this.#keep(id as string, 'parts', parts);
  }

  async parts({ id }: { readonly id?: string }): Promise<string | undefined> {
    return this.#kept(id as string, 'parts');
  }

  async history(): Promise<string | undefined> {
    return undefined;
  }

  async controls(ids: readonly string[]): Promise<readonly (string | undefined)[]> {
    return ids.map((id) => this.#kept(id, 'control'));
  }

  replaceControl(
    id: string,
    expected: string | undefined,
    next: string,
  ): ReturnType<CheckpointStore['replaceControl']> {
    return this.#replace([id, 'control'], expected, next);
  }

  async shared(id: string): Promise<{ text: string | undefined; now: number }> {
    return { text: this.#kept(id, 'shared'), now: this.options.clock.now() };
  }

  replaceShared(id: string, expected: string | undefined, next: string): ReturnType<CheckpointStore['replaceShared']> {
    return this.#replace([id, 'shared'], expected, next);
  }

  async #replace(
    [id, name]: readonly [id: string, name: string],
    expected: string | undefined,
    next: string,
  ): Promise<'replaced' | 'changed' | 'gone'> {
    if (this.#kept(id, name) !== expected) return 'changed';
    return this.#keep(id, name, next) ? 'replaced' : 'gone';
  }

  #kept(id: string, name: string): string | undefined {
    return this.queue.record(id)?.kept.get(name);
  }

  #keep(id: string, name: string, value: string): boolean {
    const record = this.queue.record(id);
    record?.kept.set(name, value);
    return record !== undefined;
  }
}
