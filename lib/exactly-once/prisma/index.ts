export type { PrismaTransaction, PrismaTransactionClient, PrismaTransactionOf } from './prisma.client.js';
export { PrismaTransactionHost, type PrismaTransactionOptions } from './prisma.host.js';
export { type PrismaProvider, prismaMigration, prismaModel } from './prisma.migration.js';
