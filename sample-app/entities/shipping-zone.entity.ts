import { Column, Entity, PrimaryColumn } from 'typeorm';

/** How a parcel reaches a zip code: its warehouse, the distance, and the carrier's zone for that distance. */
@Entity('shipping_zones')
export class ShippingZone {
  @PrimaryColumn('text')
  code!: string;

  @Column('text')
  warehouse!: string;

  @Column('integer')
  km!: number;

  @Column('integer')
  zone!: number;
}
