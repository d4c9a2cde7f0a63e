import { Module } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import type { BuildContext } from 'nestjs-iteration';
import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor, OnIteration } from 'nestjs-iteration';
import { Column, Entity, PrimaryColumn, Repository } from 'typeorm';
import { handle } from './handle.js';

@Entity('cell_row')
class CellRow {
  @PrimaryColumn('int')
  id!: number;

  @Column('timestamptz')
  at!: Date;
}

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'postgres', url: process.env.DATABASE_URL as string, entities: [CellRow] }),
    TypeOrmModule.forFeature([CellRow]),
  ],
  exports: [TypeOrmModule],
})
export class OrmModule {}

@IterativeProcessor({ queue: 'cell', name: 'rows' })
export class Rows {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    @InjectRepository(CellRow) private readonly rows: Repository<CellRow>,
  ) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext<object>) {
    return this.enumerators.typeorm.records(this.rows, { cursor, key: ['at', 'id'], pageSize: 50 });
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
