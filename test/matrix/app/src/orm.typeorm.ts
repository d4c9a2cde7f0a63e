import { Module } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import type { BuildContext } from 'nestjs-iteration';
import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor } from 'nestjs-iteration';
import { Column, Entity, PrimaryColumn, Repository } from 'typeorm';
import { RecordingProcessor } from './recording.processor.js';

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
export class Rows extends RecordingProcessor {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    @InjectRepository(CellRow) private readonly rows: Repository<CellRow>,
  ) {
    super('rows');
  }

  @BuildEnumerator()
  build({ cursor }: BuildContext<object>) {
    return this.enumerators.typeorm.records(this.rows, { cursor, key: ['at', 'id'], pageSize: 50 });
  }

  @EachIteration()
  async each(row: CellRow): Promise<void> {
    await this.record(Number(row.id));
  }
}
