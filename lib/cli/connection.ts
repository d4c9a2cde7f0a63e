import { getQueueToken } from '@nestjs/bullmq';
import { NestFactory } from '@nestjs/core';
import * as bullmq from 'bullmq';
import { IterationService } from '../control/index.js';
import { IterationError } from '../iteration.errors.js';
import { IterationModule } from '../iteration.module.js';
import { BackendError, UsageError } from './failure.js';

/** Where a queue is. */
export interface QueuePlace {
  readonly queue: string;
  /** Default: REDIS_URL, else DATABASE_URL. */
  readonly url?: string;
  /** Of Redis. */
  readonly prefix?: string;
  /** Of PostgreSQL. */
  readonly schema?: string;
}

/** How long a server may take to accept a connection, and to answer. */
const CONNECT_MS = 10_000;
const ANSWER_MS = 30_000;

/** Most applications have their queues in Redis, and a DATABASE_URL for something else. */
const FROM_DATABASE_URL =
  '. The server is that of DATABASE_URL: if the queues are in Redis, give --url redis://… or set REDIS_URL';

class CliModule {}

/** Runs `work` in an application that has the queue and no worker, and closes it. */
export async function withIterations<T>(place: QueuePlace, work: (jobs: IterationService) => Promise<T>): Promise<T> {
  const named = place.url ?? process.env.REDIS_URL;
  const url = backendUrl(named ?? process.env.DATABASE_URL);
  const queue = openQueue(url, place);
  try {
    await queue.waitUntilReady();
    const app = await NestFactory.createApplicationContext(
      {
        module: CliModule,
        imports: [IterationModule.forRoot({ workers: false })],
        providers: [{ provide: getQueueToken(place.queue), useValue: queue }],
      },
      { logger: false, abortOnError: false },
    );
    const result = await work(app.get(IterationService));
    await app.close();
    await queue.close();
    return result;
  } catch (error) {
    await queue.disconnect().catch(() => {}); // it may never have been connected
    throw error instanceof IterationError || error instanceof UsageError
      ? error
      : new BackendError(url, error, named ? '' : FROM_DATABASE_URL);
  }
}

/** @throws UsageError */
function backendUrl(text: string | undefined): URL {
  if (!text) {
    throw new UsageError(
      'No server is named. Give --url redis://… or --url postgres://…, or set REDIS_URL or DATABASE_URL',
    );
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^(rediss?|postgres(ql)?):$/.test(url.protocol)) return url;
  throw new UsageError('The URL of the server must begin with redis://, rediss://, postgres:// or postgresql://');
}

function openQueue(url: URL, { prefix, queue: name, schema }: QueuePlace): bullmq.Queue {
  const isRedis = url.protocol.startsWith('redis');
  if (!isRedis) usePostgres();
  const redis = { url: url.href, connectTimeout: CONNECT_MS, commandTimeout: ANSWER_MS, retryStrategy: () => null };
  const postgres = {
    connectionString: url.href,
    max: 2,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: ANSWER_MS,
    ...(schema !== undefined && { schema }),
  };
  const connection = (isRedis ? redis : postgres) as bullmq.ConnectionOptions;
  const queue = new bullmq.Queue(name, { connection, ...(prefix !== undefined && { prefix }) });
  queue.on('error', () => {}); // each call reports its own
  return queue;
}

/** The process has one queue. Its dead-letter queue is made with the default backend, too. */
function usePostgres(): void {
  if (!('createPostgresBackend' in bullmq)) {
    throw new UsageError('The installed BullMQ has no PostgreSQL backend: install BullMQ 6');
  }
  bullmq.setDefaultBackendFactory(bullmq.createPostgresBackend as bullmq.BackendFactory);
}
