import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { EnumeratorBuilder, IterativeProcessor } from '../../lib/index.js';
import { config } from './worker.config.js';
import { type Modules, Numbers, numbersModule } from './worker.numbers.js';

@IterativeProcessor({ queue: 'jobs', name: 'numbers' })
class TypeOrmNumbers extends Numbers {
  constructor(enumerators: EnumeratorBuilder, database: DataSource) {
    super(enumerators, async () => void (await database.query('SELECT 1')));
  }
}

export function modules(variant: 'typeorm first' | 'typeorm last'): Modules {
  const typeorm = TypeOrmModule.forRoot({ type: 'postgres', url: config.databaseUrl, poolSize: 5 });
  const numbers = numbersModule({ providers: [TypeOrmNumbers] });
  return variant === 'typeorm first' ? [typeorm, numbers] : [numbers, typeorm];
}
