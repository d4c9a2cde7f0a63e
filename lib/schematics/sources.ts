import { OF_NEST } from './tree.js';

/** What a generated processor goes over. */
export type SourceName = 'typeorm' | 'prisma' | 'csv' | 'array' | 'pages';

export interface Source {
  /** Their names, and where they come from: a package, or a file in the sources, as `/prisma.service`. */
  readonly imports: readonly (readonly [names: string, from: string])[];
  /** Parameters of the constructor, after the enumerators. */
  readonly parameters: readonly string[];
  /** Declarations before the class. */
  readonly before: string;
  /** The type of the job's data; absent: it has none. */
  readonly data?: string;
  readonly item: string;
  /** What `@BuildEnumerator` returns. */
  readonly build: string;
  /** Items of the test. */
  readonly examples: string;
  /** Exported beside the processor, for its module. */
  readonly entity?: string;
  /** What the module imports for it. */
  readonly modules?: readonly {
    readonly names: readonly string[];
    readonly from: string;
    readonly expression: string;
  }[];
  /** Packages that it needs, with their versions; see {@link missingPackages}. */
  readonly packages?: Readonly<Record<string, string>>;
  /** What the application needs, and is not written. */
  readonly needs?: string;
  /** What the test passes to the constructor after the enumerators. */
  readonly values: readonly string[];
}

/** By the name of the processor's class. */
export const SOURCES: Readonly<Record<SourceName, (className: string) => Source>> = {
  typeorm: (className) => ({
    imports: [
      ['InjectRepository', '@nestjs/typeorm'],
      ['Entity, PrimaryGeneratedColumn, Repository', 'typeorm'],
    ],
    parameters: [`@InjectRepository(${className}Row) private readonly rows: Repository<${className}Row>`],
    before: `/** Put your own entity in its place, here and in the module. */
@Entity()
export class ${className}Row {
  @PrimaryGeneratedColumn()
  id!: number;
}
`,
    item: `${className}Row`,
    entity: `${className}Row`,
    modules: [
      { names: ['TypeOrmModule'], from: '@nestjs/typeorm', expression: `TypeOrmModule.forFeature([${className}Row])` },
    ],
    packages: { '@nestjs/typeorm': OF_NEST, typeorm: 'latest' },
    needs: `${className}Row stands for an entity of yours. The application needs TypeOrmModule.forRoot({ …, autoLoadEntities: true }).`,
    build: 'this.enumerators.typeorm.records(this.rows, { cursor })',
    examples: '[{ id: 1 }, { id: 2 }, { id: 3 }]',
    values: ['undefined as never'],
  }),
  prisma: () => ({
    imports: [['PrismaService', '/prisma.service']],
    parameters: ['private readonly prisma: PrismaService'],
    before: '',
    item: '{ id: number }',
    needs: 'The application needs a PrismaService in prisma.service.ts, which the module can inject.',
    build: 'this.enumerators.prisma.records(this.prisma.user, {}, { cursor })',
    examples: '[{ id: 1 }, { id: 2 }, { id: 3 }]',
    values: ['undefined as never'],
  }),
  csv: () => ({
    imports: [],
    parameters: [],
    before: `/** A record of the file: its values, by the names of the first line. */
type Row = Record<string, string>;
`,
    data: '{ readonly path: string }',
    packages: { 'csv-parse': 'latest' },
    item: 'Row',
    build: 'this.enumerators.csv.rows<Row>(data.path, { cursor })',
    examples: "[{ name: 'a' }, { name: 'b' }, { name: 'c' }]",
    values: [],
  }),
  array: () => ({
    imports: [],
    parameters: [],
    before: '',
    data: '{ readonly values: string[] }',
    item: 'string',
    build: 'this.enumerators.array(data.values, { cursor })',
    examples: "['a', 'b', 'c']",
    values: [],
  }),
  pages: () => ({
    imports: [],
    parameters: [],
    before: '',
    item: 'string',
    build: `this.enumerators.pages({
      cursor,
      fetch: async (token: string | null) => {
        const response = await fetch(
          \`https://api.example.com/values?token=\${token ?? ''}\`,
        );
        return (await response.json()) as {
          items: string[];
          next: string | null;
        };
      },
    })`,
    examples: "['a', 'b', 'c']",
    values: [],
  }),
};
