import { InjectRepository } from '@nestjs/typeorm';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  IterationService,
  IterativeProcessor,
  OnIteration,
} from 'nestjs-iteration';
import { Repository } from 'typeorm';
import { type ImportOptions, ZIP_CODES_CSV, type ZipCodeRecord } from '../csv-files.js';
import { ZipCode } from '../entities/zip-code.entity.js';
import { FindShippingZones } from './find-shipping-zones.processor.js';
import { WAREHOUSES } from './warehouses.js';

/** Step 1: imports the CSV into a table. Upserts by a natural key, so that an item may be repeated after a kill. */
@IterativeProcessor({ queue: 'sample', name: 'import-zip-codes' })
export class ImportZipCodes {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    private readonly iterations: IterationService,
    @InjectRepository(ZipCode) private readonly zipCodes: Repository<ZipCode>,
  ) {}

  @BuildEnumerator()
  build({ data, cursor }: BuildContext<ImportOptions>) {
    return this.enumerators.csv.rows<ZipCodeRecord>(ZIP_CODES_CSV, { cursor, to: data.rows });
  }

  @EachIteration()
  async importRow({ zip_code: code, city, county, state, latitude, longitude }: ZipCodeRecord) {
    const zipCode = { code, city, county, state, latitude: Number(latitude), longitude: Number(longitude) };
    await this.zipCodes.upsert(zipCode, ['code']);
  }

  /** Adds step 2 after all rows are imported. The hook may repeat after a kill; the job id prevents a second job. */
  @OnIteration('complete')
  async next() {
    await this.iterations.enqueue(FindShippingZones, { warehouses: WAREHOUSES }, { jobId: 'find-shipping-zones' });
  }
}
