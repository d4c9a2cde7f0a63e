import {
  ChildEntity,
  Column,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
} from 'typeorm';

export class Address {
  @Column({ name: 'town_name' })
  town!: string;
}

/** A property and a column share a name but not the data, so that a mix-up shows. */
@Entity('member')
export class Member {
  @PrimaryColumn({ name: 'member_no' })
  id!: number;

  @Column({ name: 'title' })
  name!: string;

  @Column({ name: 'name' })
  title!: string;

  @Column()
  plan!: string;

  @Column({ name: 'times_touched', default: 0 })
  touched!: number;

  @Column(() => Address)
  address!: Address;

  @Column({ name: 'boss_no', type: 'int', nullable: true })
  bossId!: number | null;

  @DeleteDateColumn({ name: 'deleted_at' })
  deletedAt!: Date | null;

  @OneToMany(
    () => Letter,
    (letter) => letter.member,
  )
  letters!: Letter[];
}

@Entity({ name: 'letter', orderBy: { title: 'DESC' } })
export class Letter {
  @PrimaryGeneratedColumn()
  id!: number;

  /** Shares its name with another column of a member. */
  @Column({ name: 'letter_title' })
  title!: string;

  @ManyToOne(
    () => Member,
    (member) => member.letters,
    { nullable: false, onDelete: 'CASCADE', onUpdate: 'CASCADE' },
  )
  @JoinColumn({ name: 'member_no' })
  member!: Member;
}

@Entity('seat')
export class Seat {
  @PrimaryColumn()
  hall!: number;

  @PrimaryColumn({ name: 'seat_row' })
  row!: number;

  @PrimaryColumn()
  number!: number;

  @Column({ default: 0 })
  touched!: number;
}

@Entity('vehicle')
@TableInheritance({ column: { type: 'varchar', name: 'kind' } })
export class Vehicle {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ default: 0 })
  touched!: number;
}

@ChildEntity()
export class Car extends Vehicle {}

@ChildEntity()
export class Boat extends Vehicle {}

export const queryEntities = [Member, Letter, Seat, Vehicle, Car, Boat];

@Entity({ schema: 'place', name: 'town' })
export class Town {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ default: 0 })
  touched!: number;
}
