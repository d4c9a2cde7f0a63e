import { Injectable, Module } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import type { CellRow } from '@prisma/client';
import { PrismaClient } from '@prisma/client';
import type { BuildContext } from 'nestjs-iteration';
import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor, OnIteration } from 'nestjs-iteration';
import { handle } from './handle.js';

@Injectable()
class PrismaService extends PrismaClient {
  constructor() {
    super({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL as string }) });
  }
}

@Module({ providers: [PrismaService], exports: [PrismaService] })
export class OrmModule {}

@IterativeProcessor({ queue: 'cell', name: 'rows' })
export class Rows {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    private readonly prisma: PrismaService,
  ) {}

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
    await handle('rows', Number(row.id));
  }

  @OnIteration('start')
  start(): void {
    console.log('rows start');
  }

  @OnIteration('resume')
  resume(): void {
    console.log('rows resume');
  }

  @OnIteration('complete')
  complete(): void {
    console.log('rows complete');
  }
}
