import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What it takes to send a parcel to a zip code: from which warehouse, how far, and the carrier's zone for that distance. */
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
