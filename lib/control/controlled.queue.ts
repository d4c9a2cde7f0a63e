import type { Job, JobState, Queue } from 'bullmq';
import { type CheckpointStore, checkpointStoreOf, type JobControl } from '../checkpoint/index.js';
import { definitionFor, type QueueFinder, type RegisteredQueue, sameQueue } from '../discovery/index.js';
import type { Publisher } from '../events/index.js';
import { InvalidOptionsError } from '../iteration.errors.js';
import type { WorkerRegistrar } from '../worker/index.js';
import { JobRequests } from './job.requests.js';
import { type IterationStatus, statusOf } from './status.js';

/** A job, or where it is. */
export type JobRef = Job | { queue: string; id: string };

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

  statusOf(job: Job, state: JobState | 'unknown', control: JobControl): IterationStatus {
    const own = this.registrar.processors.find(({ queue }) => sameQueue(queue, this.registered));
    const definition = own && definitionFor(own.definitions, job);
    return statusOf(job, state, { control, options: definition?.options });
  }
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
