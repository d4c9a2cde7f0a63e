import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('zip_codes')
export class ZipCode {
  @PrimaryColumn('text')
  code!: string;

  @Column('text')
  city!: string;

  @Column('text')
  county!: string;

  @Column('text')
  state!: string;

  @Column('double precision')
  latitude!: number;

  @Column('double precision')
  longitude!: number;
}
