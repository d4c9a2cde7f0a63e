import { ITERATION_STATES } from '../control/index.js';

/** A schema of OpenAPI 3.0, as far as this API needs it. */
interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description?: string;
  readonly nullable?: boolean;
  readonly enum?: string[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Record<string, Schema>;
  readonly required?: string[];
  readonly additionalProperties?: boolean | Schema;
}

export interface RouteDescription {
  readonly summary: string;
  /** An object of the query's values. */
  readonly query?: Schema;
  readonly body?: Schema;
  readonly status?: number;
  readonly answer: Schema;
}

const text: Schema = { type: 'string' };
const time: Schema = { type: 'string', format: 'date-time' };
const whole: Schema = { type: 'integer', minimum: 0 };
const decimal: Schema = { type: 'number' };
const json: Schema = { description: 'Any JSON value.', nullable: true };
const state: Schema = { type: 'string', enum: [...ITERATION_STATES] };
const next: Schema = { ...whole, nullable: true, description: 'Where the next page starts; null: this is the last.' };

const list = (items: Schema): Schema => ({ type: 'array', items });

/** An object. A name that ends with `?` is optional. */
const object = (properties: Record<string, Schema>): Schema => ({
  type: 'object',
  properties: Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name.replace('?', ''), schema])),
  required: Object.keys(properties).filter((name) => !name.endsWith('?')),
});

const settings = object({ itemConcurrency: whole, 'itemsPerSecond?': decimal, 'batchSize?': whole });
const interruption = object({ reason: text, 'retryInMs?': decimal, 'detail?': text });
const asked = { 'by?': { ...text, description: 'Who asks.' }, 'reason?': { ...text, description: 'Why.' } };
const job = { queue: text, id: text };
const newJob = object({ ...job, name: text });

const counts: Schema = { type: 'object', additionalProperties: whole };

const status = object({
  ...job,
  name: text,
  state,
  cursor: json,
  processed: whole,
  skipped: whole,
  'size?': whole,
  'percent?': { ...decimal, minimum: 0, maximum: 100 },
  'itemsPerSecond?': decimal,
  'overallItemsPerSecond?': decimal,
  'etaMs?': decimal,
  run: whole,
  interruptions: whole,
  stalls: { ...whole, description: 'How often its worker was killed, or lost its lock.' },
  runtimeMs: decimal,
  readingMs: decimal,
  handlingMs: decimal,
  failures: whole,
  'lastInterruption?': interruption,
  'failedReason?': text,
  'worker?': text,
  settings,
  'partStates?': { ...counts, description: 'Of a job with parts: how many are in each state.' },
  'part?': { ...object({ of: text, index: whole }), description: 'Of a part: its job, and which part it is, from 0.' },
  'request?': object({ type: { type: 'string', enum: ['pause', 'cancel'] }, at: time, ...asked }),
});

const run = object({
  run: whole,
  worker: text,
  startedAt: time,
  'endedAt?': time,
  items: whole,
  'outcome?': { type: 'string', enum: ['complete', 'interrupt', 'retry', 'cancel', 'fail', 'crash'] },
  'interruption?': interruption,
});

const request = object({
  type: { type: 'string', enum: ['pause', 'resume', 'cancel', 'restart', 'tune'] },
  at: time,
  ...asked,
  'cursor?': json,
  'settings?': { type: 'object', additionalProperties: true },
});

const letter = object({
  processor: text,
  job: object(job),
  before: json,
  cursor: json,
  summary: text,
  error: object({ name: text, message: text, 'stack?': text }),
  tries: whole,
  at: time,
});

const queue = object({
  name: text,
  counts,
  processors: list(text),
});

const page = { 'start?': whole, 'limit?': { ...whole, minimum: 1, maximum: 200 } };
const filter = {
  'name?': text,
  'olderThanMs?': whole,
  'partOf?': { ...text, description: 'The id of a job: only its parts. Without it, only jobs that are no part.' },
};

const enqueued = object({
  queue: text,
  name: { ...text, description: 'Of a processor that the process knows.' },
  'data?': json,
  'jobId?': text,
  'cursor?': { ...json, description: 'The job starts after it.' },
  'canary?': { ...whole, minimum: 1, description: 'The job pauses itself after so many items.' },
});

const bulk = object({
  queue: text,
  action: { type: 'string', enum: ['pause', 'resume', 'cancel', 'restart'] },
  'states?': list(state),
  ...filter,
  ...asked,
});

const tuned = object({
  ...job,
  'itemConcurrency?': { ...whole, minimum: 1 },
  'itemsPerSecond?': { ...decimal, nullable: true, description: 'null: no limit.' },
  'batchSize?': { ...whole, minimum: 1 },
});

/** The API, by the methods of its controller. */
export const ROUTES = {
  queues: {
    summary: 'The registered queues, and the processors of this process',
    answer: object({ readOnly: { type: 'boolean' }, queues: list(queue) }),
  },
  jobs: {
    summary: 'A page of the jobs of a queue',
    query: object({
      queue: text,
      'state?': { ...text, description: 'One state or several, separated by commas.' },
      ...filter,
      ...page,
    }),
    answer: object({ jobs: list(status), next }),
  },
  job: {
    summary: 'A job: its status, its last 20 runs, and its last 20 requests',
    query: object(job),
    answer: object({ status, runs: list(run), requests: list(request) }),
  },
  deadLetters: {
    summary: 'A page of the dead letters of a job',
    query: object({ ...job, ...page }),
    answer: object({ letters: list(letter), next }),
  },
  pause: { summary: 'Pause a job', body: object({ ...job, ...asked }), answer: status },
  resume: { summary: 'Resume a job', body: object({ ...job, 'by?': text }), answer: status },
  cancel: { summary: 'Cancel a job', body: object({ ...job, ...asked }), answer: status },
  restart: { summary: 'Start a job anew', body: object({ ...job, 'cursor?': json }), answer: status },
  tune: { summary: 'Change the settings of a job', body: tuned, answer: status },
  redrive: { summary: 'Handle the dead letters of a job again', body: object(job), status: 201, answer: newJob },
  enqueue: { summary: 'Add a job of a processor', body: enqueued, status: 201, answer: newJob },
  bulk: {
    summary: 'Pause, resume, cancel or restart every job that a filter chooses',
    body: bulk,
    answer: object({
      done: whole,
      refused: whole,
      errors: list(object({ id: text, message: text })),
    }),
  },
} satisfies Readonly<Record<string, RouteDescription>>;
