import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { getRepositoryToken, TypeOrmModule } from '@nestjs/typeorm';
import { Column, Entity, PrimaryColumn, type Repository, type SelectQueryBuilder } from 'typeorm';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationModule,
  type IterationOptions,
  IterativeProcessor,
  OnIteration,
} from '../../lib/index.js';
import { nameLockTokens } from '../support/lock-tokens.js';

/** The configuration that the test or bench gives the process. */
export interface TypeOrmBulkConfig {
  readonly place: object;
  readonly databaseUrl: string;
  readonly batchSize: number;
  /** The runs up to this one wait to be killed when they have updated so many rows. */
  readonly hold?: { readonly untilRun: number; readonly rows: number };
  readonly iteration?: IterationOptions;
}

@Entity('entry')
class Entry {
  @PrimaryColumn()
  id!: number;

  @Column({ name: 'is_done', default: false })
  done!: boolean;

  @Column({ name: 'times_touched', default: 0 })
  touched!: number;
}

nameLockTokens();
const config = JSON.parse(process.argv[2] as string) as TypeOrmBulkConfig;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Touches every entry that is not done. The same statement marks it done, so that the query excludes it. */
@IterativeProcessor({ queue: 'jobs', name: 'bulk' })
class TouchEntries {
  #updated = 0;

  constructor(
    private readonly enumerators: EnumeratorBuilder,
    private readonly entries: Repository<Entry>,
  ) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext) {
    const open = this.entries.createQueryBuilder('e').where('e.done = :done', { done: false });
    return this.enumerators.typeorm.queries(open, { cursor, batchSize: config.batchSize });
  }

  @EachIteration()
  async touch(batch: SelectQueryBuilder<Entry>, { run }: IterationContext): Promise<void> {
    const { affected } = await batch
      .update()
      .set({ done: true, touched: () => 'touched + 1' })
      .execute();
    const { rss, heapUsed } = process.memoryUsage();
    say(`batch ${run} ${affected} ${rss} ${heapUsed}`);
    this.#updated += affected ?? 0;
    if (config.hold && run <= config.hold.untilRun && this.#updated >= config.hold.rows) await new Promise(() => {});
  }

  @OnIteration('complete') complete() {
    say('complete');
  }
}

@Module({
  imports: [
    BullModule.forRoot(config.place as never),
    BullModule.registerQueue({ name: 'jobs' }),
    TypeOrmModule.forRoot({ type: 'postgres', url: config.databaseUrl, poolSize: 4, entities: [Entry] }),
    TypeOrmModule.forFeature([Entry]),
    IterationModule.forRoot(config.iteration),
  ],
  providers: [
    {
      provide: TouchEntries,
      inject: [EnumeratorBuilder, getRepositoryToken(Entry)],
      useFactory: (enumerators: EnumeratorBuilder, entries: Repository<Entry>) =>
        new TouchEntries(enumerators, entries),
    },
  ],
})
class BulkModule {}

const app = await NestFactory.create(BulkModule, { logger: ['warn', 'error', 'fatal'] });
app.enableShutdownHooks();
await app.init();
say('ready');
