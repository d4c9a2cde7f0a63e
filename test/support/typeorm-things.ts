import { Column, Entity, ManyToOne, OneToMany, PrimaryColumn } from 'typeorm';

/** A row of every type that a key may have on MariaDB, and of some that it may not. */
@Entity('thing')
export class MariaThing {
  @PrimaryColumn({ type: 'bigint', unsigned: true })
  id!: string;

  @Column('tinyint')
  tiny!: number;

  @Column('boolean')
  flag!: boolean;

  @Column({ type: 'mediumint', unsigned: true })
  medium!: number;

  @Column('bigint')
  big!: string;

  @Column({ type: 'decimal', precision: 65, scale: 30 })
  price!: string;

  @Column({ type: 'numeric', precision: 65, scale: 0 })
  whole!: string;

  @Column({ collation: 'utf8mb4_unicode_ci' })
  folded!: string;

  @Column({ collation: 'utf8mb4_bin' })
  padded!: string;

  @Column({ collation: 'utf8mb4_unicode_nopad_ci' })
  unpadded!: string;

  @Column({ charset: 'latin1', collation: 'latin1_swedish_ci' })
  swedish!: string;

  @Column({ type: 'char', length: 4, collation: 'utf8mb4_unicode_ci' })
  code!: string;

  @Column({ type: 'text', collation: 'utf8mb4_general_ci' })
  note!: string;

  @Column('uuid')
  uuid!: string;

  @Column('date')
  day!: string;

  @Column({ type: 'datetime', precision: 6 })
  moment!: Date;

  @Column({ type: 'datetime' })
  second!: Date;

  @Column({ type: 'time', precision: 6 })
  clock!: string;

  @Column({ type: 'enum', enum: ['zero', 'alpha', 'middle'] })
  level!: string;

  @Column('float')
  single!: number;

  @Column('double')
  ratio!: number;

  @Column({ type: 'varbinary', length: 16 })
  bytes!: Buffer;

  @Column({ type: 'binary', length: 4 })
  fixed!: Buffer;

  @Column('year')
  year!: number;

  @Column({ type: 'datetime', precision: 6, nullable: true })
  seen!: Date | null;

  @Column({ type: 'varchar', nullable: true, collation: 'utf8mb4_unicode_ci' })
  nickname!: string | null;

  @Column({ type: 'timestamp', precision: 6 })
  stamp!: Date;

  @Column({ type: 'set', enum: ['a', 'b'] })
  set!: string[];

  @Column('json')
  json!: unknown;

  @Column({ type: 'char', length: 4, collation: 'utf8mb4_nopad_bin' })
  unpaddedCode!: string;

  @OneToMany(
    () => MariaPart,
    (part) => part.thing,
  )
  parts!: MariaPart[];
}

@Entity('part')
export class MariaPart {
  @PrimaryColumn()
  id!: number;

  @ManyToOne(
    () => MariaThing,
    (thing) => thing.parts,
    { createForeignKeyConstraints: false },
  )
  thing!: MariaThing;
}

/** A row of every type that a key may have on SQLite. */
@Entity('thing')
export class SqliteThing {
  @PrimaryColumn('bigint')
  id!: string;

  @Column()
  plain!: number;

  @Column('boolean')
  flag!: boolean;

  @Column('bigint')
  big!: string;

  @Column('decimal')
  price!: number;

  @Column('float')
  single!: number;

  @Column('double')
  ratio!: number;

  @Column('varchar')
  exact!: string;

  @Column({ type: 'text', collation: 'NOCASE' })
  folded!: string;

  @Column({ type: 'varchar', collation: 'RTRIM' })
  padded!: string;

  @Column('uuid')
  uuid!: string;

  @Column('date')
  day!: string;

  @Column('datetime')
  moment!: Date;

  @Column('time')
  clock!: string;

  @Column({ type: 'simple-enum', enum: ['zero', 'alpha', 'middle'] })
  level!: string;

  @Column('blob')
  bytes!: Buffer;

  /** Integers, reals and texts: SQLite stores what it is given. */
  @Column('decimal')
  mixed!: unknown;

  @Column({ type: 'datetime', nullable: true })
  seen!: Date | null;

  @Column({ type: 'varchar', nullable: true, collation: 'NOCASE' })
  nickname!: string | null;

  @OneToMany(
    () => SqlitePart,
    (part) => part.thing,
  )
  parts!: SqlitePart[];
}

@Entity('part')
export class SqlitePart {
  @PrimaryColumn()
  id!: number;

  @ManyToOne(
    () => SqliteThing,
    (thing) => thing.parts,
    { createForeignKeyConstraints: false },
  )
  thing!: SqliteThing;
}
