/** The code around each `ts` snippet of docs/sources.md, by the snippet's heading. */
export const SURROUNDINGS: Readonly<Record<string, (snippet: string) => string>> = {
  pg: exporting,
  Kysely: exporting,
  Drizzle: exporting,
  Connections: (snippet) => snippet,
  'Pages of an API': processor(`
    constructor(private readonly enumerators: EnumeratorBuilder, private readonly crm: Crm) {}
    @EachIteration() each({ name }: Contact) { console.log(name) }
  `),
  S3: (snippet) => `
    import { Readable } from 'node:stream';
    class GetObjectCommand {
      constructor(readonly input: { Bucket: string; Key: string; Range?: string }) {}
    }
    ${processor(`
      constructor(private readonly enumerators: EnumeratorBuilder, private readonly s3: { send(command: GetObjectCommand): Promise<{ Body?: unknown }> }) {}
      @EachIteration() each(row: Record<string, string>) { console.log(row) }
    `)(snippet)}
  `,
  HTTP: (snippet) => snippet,
  'Compressed, or in another encoding': (snippet) => snippet,
  'A silent stream': (snippet) => snippet,
  'At most once': polled,
  'At least once': polled,
  'The first of a source': processor(`
    constructor(private readonly enumerators: EnumeratorBuilder, private readonly users: Repository<User>) {}
    @EachIteration() each({ id }: User) { console.log(id) }
  `),
  'Parts of a source': (snippet) => `
    import { IterationService, type Json } from 'nestjs-iteration';
    ${processor(`
      constructor(
        private readonly enumerators: EnumeratorBuilder,
        private readonly users: Repository<User>,
        private readonly iterations: IterationService,
      ) {}
      @EachIteration() each({ id }: User) { console.log(id) }
    `)(snippet).replaceAll('NotifyUsers', 'Documented')}
  `,
  'Sources in sources': processor(`
    constructor(
      private readonly enumerators: EnumeratorBuilder,
      private readonly shops: Repository<Shop>,
      private readonly api: { products(shop: number, token: string | null): Promise<{ items: Contact[]; next: string | null }> },
    ) {}
    @EachIteration() each({ name }: Contact) { console.log(name) }
  `),
  'A list as the outer level': (snippet) => `
    import { readdir } from 'node:fs/promises';
    import { join } from 'node:path';
    ${processor(`
      constructor(private readonly enumerators: EnumeratorBuilder) {}
      @EachIteration() each(row: Record<string, string>) { console.log(row) }
    `)(snippet)}
  `,
  'Only while there is room': processor(`
    constructor(
      private readonly enumerators: EnumeratorBuilder,
      private readonly users: Repository<User>,
      private readonly primary: Pool,
    ) {}
    @EachIteration() each(users: User[]) { console.log(users.length) }
  `),
  'A generator': processor(`
    constructor(private readonly enumerators: EnumeratorBuilder, private readonly mailbox: Mailbox) {}
    @EachIteration() each({ id }: Message) { console.log(id) }
  `),
  'Your own source': (snippet) => snippet,
};

/** A processor whose handler passes each order to `handler`. */
function exporting(snippet: string): string {
  return `
    export const handler = { each: async (_order: Order, _context: import('nestjs-iteration').IterationContext) => {} };
    ${snippet.replace('/* … */', 'return handler.each(order, arguments[1])')}
  `;
}

function polled(snippet: string): string {
  return `
    import type { IterationContext } from 'nestjs-iteration';
    export const handler = { each: async (_signup: string, _context: IterationContext) => {} };
    ${processor(`
      constructor(private readonly enumerators: EnumeratorBuilder, private readonly redis: Redis) {}
      @EachIteration() each(signup: string, context: IterationContext) { return handler.each(signup, context) }
    `)(snippet)}
  `;
}

function processor(members: string): (snippet: string) => string {
  return (snippet) => `
    import { BuildEnumerator, EachIteration, EnumeratorBuilder, IterativeProcessor } from 'nestjs-iteration';
    import type { BuildContext } from 'nestjs-iteration';
    import { Redis } from 'ioredis';
    import { Pool } from 'pg';
    import { Repository } from 'typeorm';
    export interface User { readonly id: number }
    export interface Shop { readonly id: number }
    export interface Contact { readonly name: string }
    export interface Message { readonly id: string }
    export interface Crm {
      list(of: { page: string | null; limit: number }): Promise<{ contacts: Contact[]; nextPage?: string }>;
    }
    export interface Folder {
      since(id: string | null): AsyncIterable<Message>;
      close(): Promise<void>;
    }
    export interface Mailbox {
      open(): Promise<Folder>;
      count(): Promise<number>;
    }
    export type Unused = [Redis, Pool, Repository<User>, BuildContext];
    @IterativeProcessor('documented')
    export class Documented {
      ${snippet}
      ${members}
    }
  `;
}
