/** A worker of jobs in parts over the rows of a PostgreSQL table: plain, with items in flight, and in transactions. */
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BullModule } from '@nestjs/bullmq';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { getRepositoryToken, TypeOrmModule } from '@nestjs/typeorm';
import { Column, DataSource, Entity, type EntityManager, PrimaryColumn, type Repository } from 'typeorm';
import {
  type BuildContext,
  BuildEnumerator,
  BuildPartitions,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationModule,
  type IterationOptions,
  IterativeProcessor,
  type Json,
  OnIteration,
  TypeOrmTransactionHost,
} from '../../lib/index.js';
import { useBackend } from '../support/backend.js';
import { nameLockTokens } from '../support/lock-tokens.js';

/** The configuration that the test or bench gives the process. */
export interface TypeOrmPartsConfig {
  readonly place: object;
  readonly postgresQueue?: boolean;
  readonly databaseUrl: string;
  /** The number of parts. */
  readonly parts: number;
  /** Also takes jobs named `transactional`: the database has the checkpoint table. */
  readonly transactions?: boolean;
  readonly iteration?: IterationOptions;
  /** How often each row is hashed. */
  readonly hashes?: number;
  /** How long each row takes besides. */
  readonly itemMs?: number;
  /** Prints the rows. */
  readonly saysRows?: boolean;
  /** The last row waits until this file is there. */
  readonly holdUntil?: string;
  /** A row whose handler kills the process. */
  readonly killer?: number;
  /** The process kills itself once at each step of the job itself: this directory has a file for each of them. */
  readonly deaths?: string;
}

const config = JSON.parse(process.argv[2] as string) as TypeOrmPartsConfig;

/** What was said before a kill is read. A pipe that is full, as a million rows make it, refuses a write until it was read. */
function say(line: string): void {
  for (let left = Buffer.from(`${line}\n`); left.length > 0; ) {
    try {
      left = left.subarray(writeSync(1, left));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

async function dieOnce(step: string): Promise<void> {
  if (!config.deaths) return;
  try {
    writeFileSync(join(config.deaths, step), '', { flag: 'wx' });
  } catch {
    return; // killed before
  }
  process.kill(process.pid, 'SIGKILL');
  await new Promise(() => {});
}

@Entity('entry')
class Entry {
  @PrimaryColumn()
  id!: number;

  @Column({ name: 'is_last' })
  isLast!: boolean;
}

@Injectable()
abstract class Rows<Transaction> {
  constructor(
    protected readonly enumerators: EnumeratorBuilder,
    protected readonly entries: Repository<Entry>,
  ) {}

  @BuildPartitions()
  async split() {
    await dieOnce('split');
    say('split');
    return this.enumerators.typeorm.partitions(this.entries, { count: config.parts, key: 'id' });
  }

  @BuildEnumerator()
  build({ cursor, part }: BuildContext<unknown, Json, Json>) {
    return this.enumerators.typeorm.records(this.entries, { cursor, range: part as Json, key: 'id' });
  }

  protected async work({ id, isLast }: Entry, { job }: IterationContext<unknown, Transaction>): Promise<void> {
    if (config.killer === id) {
      say(`dies ${id}`);
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => {});
    }
    if (isLast && config.holdUntil) while (!existsSync(config.holdUntil)) await delay(20);
    if (config.itemMs) await delay(config.itemMs);
    if (config.saysRows) say(`row ${id} ${job.id}`);
  }

  @OnIteration('start') async start() {
    await dieOnce('start');
    say('start');
  }
  @OnIteration('complete') async complete({ processed }: IterationContext<unknown, Transaction>) {
    await dieOnce('complete');
    say(`complete ${processed}`);
  }
}

@IterativeProcessor({ queue: 'jobs', name: 'plain' })
class PlainRows extends Rows<never> {
  @EachIteration()
  each(row: Entry, context: IterationContext): Promise<void> | undefined {
    hash(row);
    if (!isQuiet) return this.work(row, context);
    return undefined;
  }
}

@IterativeProcessor({
  queue: 'jobs',
  name: 'transactional',
  transactions: TypeOrmTransactionHost,
  itemsPerTransaction: 10,
})
class TransactionalRows extends Rows<EntityManager> {
  @EachIteration()
  async each(row: Entry, context: IterationContext<unknown, EntityManager>): Promise<void> {
    hash(row);
    await context.transaction.query('INSERT INTO effect (id) VALUES ($1)', [row.id]);
    await this.work(row, context);
  }
}

/** No row waits or is printed: the handler is synchronous. */
const isQuiet = !config.saysRows && !config.itemMs && !config.holdUntil && config.killer === undefined;

function hash({ id }: Entry): void {
  let text = String(id);
  for (let round = 0; round < (config.hashes ?? 0); round++) text = createHash('sha256').update(text).digest('hex');
}

nameLockTokens();
if (config.postgresQueue) useBackend('postgres');

@Module({
  imports: [
    BullModule.forRoot(config.place as never),
    BullModule.registerQueue({ name: 'jobs' }),
    TypeOrmModule.forRoot({ type: 'postgres', url: config.databaseUrl, poolSize: 4, entities: [Entry] }),
    TypeOrmModule.forFeature([Entry]),
    IterationModule.forRoot(config.iteration),
  ],
  providers: [
    ...[PlainRows, ...(config.transactions ? [TransactionalRows] : [])].map((provide) => ({
      provide,
      inject: [EnumeratorBuilder, getRepositoryToken(Entry)],
      useFactory: (enumerators: EnumeratorBuilder, entries: Repository<Entry>) => new provide(enumerators, entries),
    })),
    {
      provide: TypeOrmTransactionHost,
      inject: [DataSource],
      useFactory: (database: DataSource) => new TypeOrmTransactionHost(database),
    },
  ],
})
class RowsModule {}

const app = await NestFactory.createApplicationContext(RowsModule, { logger: ['warn', 'error', 'fatal'] });
app.enableShutdownHooks();
say('ready');
