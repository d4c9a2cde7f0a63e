import {
  ChildEntity,
  Column,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
  ViewColumn,
  ViewEntity,
  VirtualColumn,
} from 'typeorm';

@Entity()
export class User {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @Column()
  plan!: string;

  @Column({ type: 'varchar', nullable: true })
  nickname!: string | null;

  @DeleteDateColumn()
  deletedAt!: Date | null;

  @OneToMany(
    () => Post,
    (post) => post.author,
  )
  posts!: Post[];
}

@Entity()
export class Post {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  title!: string;

  @ManyToOne(
    () => User,
    (user) => user.posts,
    { nullable: false },
  )
  @JoinColumn({ name: 'author_id' })
  author!: User;
}

@Entity()
export class Big {
  @PrimaryColumn('bigint')
  id!: string;
}

@Entity()
export class Uuid {
  @PrimaryColumn('uuid')
  id!: string;
}

@Entity()
export class Word {
  @PrimaryColumn('text')
  text!: string;
}

@Entity()
export class Seat {
  @PrimaryColumn()
  hall!: string;

  @PrimaryColumn()
  number!: number;

  @PrimaryColumn()
  row!: string;
}

/** A row of every type that a key may have. */
@Entity({ schema: 'measuring' })
export class Measurement {
  @PrimaryGeneratedColumn()
  id!: number;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @Column('timestamp')
  local!: Date;

  @Column('date')
  day!: string;

  @Column('time')
  clock!: string;

  @Column('numeric')
  amount!: string;

  @Column('double precision')
  ratio!: number;

  @Column('real')
  small!: number;

  @Column('bigint')
  big!: string;

  @Column('boolean')
  flag!: boolean;

  @Column({ type: 'char', length: 3 })
  code!: string;

  @Column({ type: 'enum', enum: ['low', 'middle', 'high'] })
  level!: 'low' | 'middle' | 'high';

  @Column('bytea')
  bytes!: Buffer;

  @Column({ select: false })
  secret!: number;

  @Column('interval')
  length!: unknown;

  @Column('int', { array: true })
  list!: number[];
}

@Entity()
export class Instant {
  @PrimaryColumn('timestamptz', { precision: 6 })
  at!: Date;
}

export class Name {
  @Column()
  first!: string;

  @Column({ name: 'family_name' })
  last!: string;
}

export class Passport {
  @PrimaryColumn()
  country!: string;

  @PrimaryColumn()
  number!: number;
}

@Entity()
export class Person {
  @Column(() => Passport)
  passport!: Passport;

  @Column(() => Name, { prefix: false })
  name!: Name;

  @Column({ type: 'varchar', nullable: true })
  note!: string | null;
}

/** Stores a number of cents as a text with leading zeros. */
const cents = { to: (value: number) => String(value).padStart(6, '0'), from: (text: string) => Number(text) / 100 };

@Entity()
export class Price {
  @PrimaryColumn({ type: 'varchar', transformer: cents })
  price!: number;

  @VirtualColumn({ type: 'int', query: (alias) => `SELECT length(${alias}.price)` })
  digits!: number;
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind' } })
export class Animal {
  @PrimaryGeneratedColumn()
  id!: number;
}

@ChildEntity()
export class Cat extends Animal {
  @Column()
  lives!: number;
}

@ChildEntity()
export class Dog extends Animal {}

@ViewEntity({ expression: 'SELECT name FROM "user"' })
export class UserName {
  @ViewColumn()
  name!: string;
}

export const entities = [
  ...[User, Post, Big, Uuid, Word, Seat, Measurement, Instant, Person, Price],
  ...[Animal, Cat, Dog, UserName],
];
