import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterationService,
  IterativeProcessor,
  OnIteration,
} from 'nestjs-iteration';
import { BIRD_STRIKES_CSV, type BirdStrikeRecord, type ImportOptions } from '../csv-files.js';
import { PrismaService } from '../prisma/prisma.service.js';
import { SettleClaims } from './settle-claims.processor.js';

/** Step 1: imports the CSV into a table. Its records have no key and some are equal: the row number is the key. */
@IterativeProcessor({ queue: 'sample', name: 'import-bird-strikes' })
export class ImportBirdStrikes {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    private readonly iterations: IterationService,
    private readonly prisma: PrismaService,
  ) {}

  @BuildEnumerator()
  build({ data, cursor }: BuildContext<ImportOptions>) {
    return this.enumerators.csv.rows<BirdStrikeRecord>(BIRD_STRIKES_CSV, { cursor, to: data.rows });
  }

  @EachIteration()
  async importRow(record: BirdStrikeRecord, { processed }: IterationContext<ImportOptions>) {
    const row = processed + 1;
    const strike = {
      airport: record['Airport Name'],
      aircraft: record['Aircraft Make Model'],
      species: record['Wildlife Species'],
      flightDate: new Date(record['Flight Date']),
      costUsd: Number(record['Cost Total $']),
    };
    await this.prisma.birdStrike.upsert({ where: { row }, create: { row, ...strike }, update: strike });
  }

  /** Adds step 2 after all rows are imported. */
  @OnIteration('complete')
  async next() {
    await this.iterations.enqueue(SettleClaims, { ownRiskUsd: 5_000 }, { jobId: 'settle-claims' });
  }
}
