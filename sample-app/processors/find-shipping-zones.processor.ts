import { InjectRepository } from '@nestjs/typeorm';
import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
} from 'nestjs-iteration';
import { Repository } from 'typeorm';
import { ShippingZone } from '../entities/shipping-zone.entity.js';
import { ZipCode } from '../entities/zip-code.entity.js';
import { distanceKm } from './distance.js';
import type { Warehouse } from './warehouses.js';

type Data = { warehouses: Warehouse[] };

/** Where each of the carrier's zones 1 to 7 ends, in km; zone 8 is beyond them. */
const ZONE_ENDS_KM = [80, 240, 480, 970, 1_600, 2_250, 2_900];

/** Step 2, with TypeORM: for each zip code the nearest warehouse, and the carrier's zone for that distance. */
@IterativeProcessor({ queue: 'sample', name: 'find-shipping-zones' })
export class FindShippingZones {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    @InjectRepository(ZipCode) private readonly zipCodes: Repository<ZipCode>,
    @InjectRepository(ShippingZone) private readonly shippingZones: Repository<ShippingZone>,
  ) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext<Data>) {
    return this.enumerators.typeorm.records(this.zipCodes, { cursor });
  }

  @EachIteration()
  async findZone(place: ZipCode, { data }: IterationContext<Data>) {
    const distances = data.warehouses.map((warehouse) => ({
      warehouse: warehouse.name,
      km: Math.round(distanceKm(warehouse, place)),
    }));
    const nearest = distances.reduce((best, other) => (other.km < best.km ? other : best));
    const zone = 1 + ZONE_ENDS_KM.filter((end) => nearest.km > end).length;
    await this.shippingZones.upsert({ code: place.code, ...nearest, zone }, ['code']);
  }
}
