import type { Job, JobState, Queue } from 'bullmq';
import { type CheckpointStore, checkpointStoreOf, type JobControl, readControl } from '../checkpoint/index.js';
import { type QueueFinder, type RegisteredQueue, sameQueue } from '../discovery/index.js';
import type { Publisher } from '../events/index.js';
import { InvalidOptionsError, JobNotFoundError, JobStateError } from '../iteration.errors.js';
import { savedPartIds } from '../parts/index.js';
import type { WorkerRegistrar } from '../worker/index.js';
import { JobRequests } from './job.requests.js';
import { sumOf } from './part.sum.js';
import { type IterationStatus, statusOf } from './status.js';

/** A job, or where it is. */
export type JobRef = Job | { queue: string; id: string };

/** States of a job whose parts say how far it is; of a completed one, its own checkpoint does. */
const HAS_PARTS: readonly string[] = ['active', 'waiting', 'delayed', 'prioritized', 'waiting-children', 'failed'];

/** Parts of a job that are asked at a time. */
const PARTS_AT_A_TIME = 20;

/** A registered queue, and what its jobs are controlled with. */
export class ControlledQueue {
  readonly store: CheckpointStore;
  readonly requests: JobRequests;

  constructor(
    readonly registered: RegisteredQueue,
    private readonly registrar: WorkerRegistrar,
    publisher: Publisher,
  ) {
    this.store = checkpointStoreOf(registered.queue);
    this.requests = new JobRequests(registered.queue, this.store, publisher);
  }

  /**
   * Asks something of a job, and of its parts (R27). Parts that have ended, or were not added yet, need nothing: the job itself
   * asks a part that it adds later.
   */
  async ask(id: string, ask: (id: string) => Promise<void>): Promise<void> {
    await ask(id);
    const { job } = await this.requests.find(id);
    const left = [...(await savedPartIds(job, this.store))];
    const askNext = async () => {
      for (let part = left.shift(); part !== undefined; part = left.shift()) {
        await ask(part).catch((error: unknown) => {
          if (!(error instanceof JobStateError || error instanceof JobNotFoundError)) throw error;
        });
      }
    };
    await Promise.all(Array.from({ length: PARTS_AT_A_TIME }, askNext));
  }

  /** Of a job with parts: what they have done together (R27). */
  async wholeStatusOf(job: Job, state: JobState | 'unknown', control: JobControl): Promise<IterationStatus> {
    const own = this.statusOf(job, state, control);
    const ids = HAS_PARTS.includes(state) ? await savedPartIds(job, this.store) : [];
    if (ids.length === 0) return own;
    const parts: IterationStatus[] = [];
    for (let start = 0; start < ids.length; start += PARTS_AT_A_TIME) {
      const page = ids.slice(start, start + PARTS_AT_A_TIME);
      const found = await Promise.all(page.map((id) => this.requests.find(id).catch(unlessGone)));
      const controls = await this.store.controls(page);
      for (const [index, part] of found.entries()) {
        if (part) parts.push(this.statusOf(part.job, part.state, readControl(controls[index])));
      }
    }
    return sumOf(own, parts, ids.length);
  }

  statusOf(job: Job, state: JobState | 'unknown', control: JobControl): IterationStatus {
    const own = this.registrar.processors.find(({ queue }) => sameQueue(queue, this.registered));
    const definition = own?.definitions.find(({ jobName }) => jobName === undefined || jobName === job.name);
    return statusOf(job, state, { control, options: definition?.options });
  }
}

function unlessGone(error: unknown): undefined {
  if (!(error instanceof JobNotFoundError)) throw error;
}

/** The queues that this application has registered. */
export class ControlledQueues {
  readonly #known = new WeakMap<Queue, ControlledQueue>();

  constructor(
    private readonly queues: QueueFinder,
    private readonly registrar: WorkerRegistrar,
    private readonly publisher: Publisher,
  ) {}

  /** The queue of a job. @throws InvalidOptionsError when it is not registered */
  of(ref: JobRef): ControlledQueue {
    const registered = this.registered(ref);
    const known = this.#known.get(registered.queue) ?? new ControlledQueue(registered, this.registrar, this.publisher);
    this.#known.set(registered.queue, known);
    return known;
  }

  /** @throws InvalidOptionsError when it is not registered */
  registered(ref: JobRef): RegisteredQueue {
    if (!('queueName' in ref)) return this.named(ref.queue);
    return this.queues.holding(ref) ?? notRegistered(ref.queueName);
  }

  /** @throws InvalidOptionsError when it is not registered */
  named(name: string): RegisteredQueue {
    return this.queues.find(name) ?? notRegistered(name);
  }
}

function notRegistered(name: string): never {
  throw new InvalidOptionsError(
    `The queue "${name}" is not registered in this application: BullModule.registerQueue({ name: '${name}' })`,
  );
}
