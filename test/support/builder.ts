import {
  CsvEnumeratorBuilder,
  EnumeratorBuilder,
  PrismaEnumeratorBuilder,
  TypeOrmEnumeratorBuilder,
} from '../../lib/index.js';

/** What a processor has injected. */
export function enumeratorBuilder(): EnumeratorBuilder {
  return new EnumeratorBuilder(
    new TypeOrmEnumeratorBuilder(),
    new PrismaEnumeratorBuilder(),
    new CsvEnumeratorBuilder(),
  );
}
