import {
  CsvEnumeratorBuilder,
  EnumeratorBuilder,
  PrismaEnumeratorBuilder,
  TypeOrmEnumeratorBuilder,
} from '../../lib/index.js';

/** The builder that Nest injects into a processor. */
export function enumeratorBuilder(): EnumeratorBuilder {
  return new EnumeratorBuilder(
    new TypeOrmEnumeratorBuilder(),
    new PrismaEnumeratorBuilder(),
    new CsvEnumeratorBuilder(),
  );
}
