import type { Job, JobState, Queue } from 'bullmq';
import { bullmqOf } from '../bullmq/index.js';
import {
  type Asked,
  type CheckpointStore,
  changeControl,
  checkpointStoreOf,
  type JobControl,
  readCheckpoint,
  readControl,
  withoutAnswered,
} from '../checkpoint/index.js';
import type { Cursor } from '../cursor.js';
import { definitionFor, type QueueFinder, type RegisteredQueue, sameQueue } from '../discovery/index.js';
import type { Publisher } from '../events/index.js';
import { InvalidOptionsError, JobNotFoundError, JobStateError } from '../iteration.errors.js';
import { partOf, partStateOf, savedPartIds } from '../parts/index.js';
import type { WorkerRegistrar } from '../worker/index.js';
import { redrive } from './dead-letters.js';
import { inTurns } from './in.turns.js';
import { JobRequests } from './job.requests.js';
import { sumOf } from './part.sum.js';
import { type ControlDocuments, type IterationStatus, statusOf } from './status.js';

/** A job, or where it is. */
export type JobRef = Job | { queue: string; id: string };

/** States of a job whose parts say how far it is; of a completed one, its own checkpoint does. */
const HAS_PARTS: readonly string[] = ['active', 'waiting', 'delayed', 'prioritized', 'waiting-children', 'failed'];

/** A part of a job, as it is now. */
interface FoundPart {
  readonly job: Job;
  readonly state: JobState;
}

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

  /** Parts find in the control document of the whole what is asked of it (R27): those that are delayed are woken to look. */
  async resume(id: string, asked: Asked): Promise<void> {
    await this.requests.resume(id, asked);
    await this.#wakeParts(id, 'parked');
  }

  async cancel(id: string, asked: Asked): Promise<void> {
    await this.requests.cancel(id, asked);
    await this.#wakeParts(id, 'delayed');
  }

  /** The parts end, and the job is split anew. */
  async restart(id: string, cursor: Cursor | undefined): Promise<void> {
    const ids = await this.#partIds(id);
    if ((await this.findParts(ids)).some((part) => part?.state === 'active'))
      throw new JobStateError(
        this.registered.name,
        id,
        'is running in parts, so it cannot be restarted: pause it first',
      );
    if (ids.length > 0 && cursor !== undefined && cursor !== null)
      throw new InvalidOptionsError(`restart: job "${id}" has parts, each with cursors of its own: leave "cursor" out`);
    await this.requests.restart(id, cursor);
    await this.#wakeParts(id, 'delayed');
  }

  /** Parts that have failed come first: they are retried, and finish what is left. Then the dead letters of all parts. */
  async redrive(id: string): Promise<Job> {
    const found = await this.requests.find(id).catch(unlessGone);
    if (!found) return redrive(this.registered, id); // its letters are still there
    const { job, state } = found;
    const parts = await this.findParts(await savedPartIds(job, this.store));
    const failed = parts.flatMap((part) => (part?.state === 'failed' ? [part.job.id as string] : []));
    const { ended, handled = 0 } = readCheckpoint(job.progress) ?? {};
    const hasFailed = state === 'failed' && ended?.outcome === 'fail';
    // The next run of a job that has failed retries its parts, also those that are gone.
    const retried = hasFailed && (failed.length > 0 || parts.includes(undefined)) ? [id] : failed;
    if (retried.length === 0 || (state === 'failed' && !hasFailed)) return redrive(this.registered, id);
    // Parts heed what is asked of their job: nothing that its end has answered.
    if (!hasFailed) await changeControl(this.store, id, (known) => withoutAnswered(known, handled));
    await inTurns(retried, (each) => this.requests.retryEnded(each));
    return job;
  }

  /**
   * The parts of these ids, undefined where there is none. BullMQ's search for the state of a job takes the longer, the more jobs
   * wait: for all parts, the square of that. A part that has not ended and is not active is said to wait.
   */
  async findParts(ids: readonly string[]): Promise<(FoundPart | undefined)[]> {
    const { queue } = this.registered;
    if (ids.length === 0) return [];
    const active = new Set(await bullmqOf(queue)?.idsIn(queue, 'active', { start: 0, end: -1 }));
    return inTurns(ids, async (id) => {
      const job = (await queue.getJob(id)) as Job | undefined;
      const state = job && partStateOf(job);
      return job && { job, state: state === 'pending' ? (active.has(id) ? 'active' : 'waiting') : (state as JobState) };
    });
  }

  async #partIds(id: string): Promise<readonly string[]> {
    const job = (await this.registered.queue.getJob(id)) as Job | undefined;
    return job ? savedPartIds(job, this.store) : [];
  }

  async #wakeParts(id: string, which: 'parked' | 'delayed'): Promise<void> {
    const ids = await this.#partIds(id);
    if (ids.length === 0) return;
    const { queue } = this.registered;
    const texts = await this.store.controls(ids);
    const delayed = new Set(
      which === 'delayed' ? await bullmqOf(queue)?.idsIn(queue, which, { start: 0, end: -1 }) : [],
    );
    const woken = ids.filter((part, index) => readControl(texts[index]).parked !== undefined || delayed.has(part));
    await inTurns(woken, (part) => this.requests.wake(part).catch(unlessGone));
  }

  /** Of a job with parts, what they have done together; of a part, with what is asked of the whole (R27). */
  async wholeStatusOf(job: Job, state: JobState | 'unknown', control: JobControl): Promise<IterationStatus> {
    const part = partOf(job);
    if (part) return this.statusOf(job, state, { control, whole: await this.requests.controlOf(part.of) });
    const own = this.statusOf(job, state, { control });
    const hasParts = HAS_PARTS.includes(state) && own.run > 0 && !isSettled(job);
    const ids = hasParts ? await savedPartIds(job, this.store) : [];
    if (ids.length === 0) return own;
    const texts = await this.store.controls(ids);
    const found = await this.findParts(ids);
    const parts = found.map(
      (part, index) =>
        part && this.statusOf(part.job, part.state, { control: readControl(texts[index]), whole: control }),
    );
    if (parts.includes(undefined)) {
      const { job: now, state: stateNow } = await this.requests.find(job.id as string);
      if (isSettled(now)) return this.statusOf(now, stateNow, { control });
    }
    const sum = sumOf(own, parts);
    return state === 'waiting-children' ? sum : { ...sum, state: own.state }; // it waits for a worker, not for its parts
  }

  /** @param documents `whole`: of the job that this one is a part of. */
  statusOf(job: Job, state: JobState | 'unknown', documents: ControlDocuments): IterationStatus {
    const own = this.registrar.processors.find(({ queue }) => sameQueue(queue, this.registered));
    const definition = own && definitionFor(own.definitions, job);
    return statusOf(job, state, { ...documents, options: definition?.options });
  }
}

/** All parts have ended: the job's own checkpoint has their sum, and they may be removed. */
function isSettled({ progress }: Job): boolean {
  return readCheckpoint(progress)?.settled !== undefined;
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
