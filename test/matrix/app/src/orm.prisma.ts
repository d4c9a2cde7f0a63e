import { Injectable, Module } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import type { CellRow } from '@prisma/client';
import { PrismaClient } from '@prisma/client';
import type { BuildContext } from 'nestjs-iteration';
import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor } from 'nestjs-iteration';
import { RecordingProcessor } from './recording.processor.js';

@Injectable()
class PrismaService extends PrismaClient {
  constructor() {
    super({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL as string }) });
  }
}

@Module({ providers: [PrismaService], exports: [PrismaService] })
export class OrmModule {}

@IterativeProcessor({ queue: 'cell', name: 'rows' })
export class Rows extends RecordingProcessor {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    private readonly prisma: PrismaService,
  ) {
    super('rows');
  }

  @BuildEnumerator()
  build({ cursor }: BuildContext<object>) {
    return this.enumerators.prisma.records(
      this.prisma.cellRow,
      { where: { id: { gt: 0 } } },
      { cursor, key: ['at', 'id'] },
    );
  }

  @EachIteration()
  async each(row: CellRow): Promise<void> {
    await this.record(Number(row.id));
  }
}
