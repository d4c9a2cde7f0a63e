/** A program that tests start: saves in a transaction, and commits after SIGUSR2. */
import { once } from 'node:events';
import { PrismaPg } from '@prisma/adapter-pg';
import { DataSource } from 'typeorm';
import type { CheckpointKey, Holder, TransactionHost } from '../../lib/definition/transaction.host.js';
import { PrismaTransactionHost } from '../../lib/exactly-once/prisma/prisma.host.js';
import { TypeOrmTransactionHost } from '../../lib/exactly-once/typeorm/typeorm.host.js';
import { PrismaClient } from '../support/prisma/generated/client.js';

export interface TransactionProcessConfig {
  readonly client: 'typeorm' | 'prisma';
  readonly database: string;
  readonly url: string;
  readonly key: CheckpointKey;
  readonly holder: Holder;
  readonly document: string;
  /** The effect. */
  readonly sql: string;
}

const config = JSON.parse(process.argv[2] as string) as TransactionProcessConfig;

const commitSignal = once(process, 'SIGUSR2');
/** Keeps the process alive, which the listener of a signal does not. */
const alive = setInterval(() => {}, 60_000);

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main<Transaction>(host: TransactionHost<Transaction>, execute: (transaction: Transaction) => unknown) {
  const committing = host.run(async (transaction) => {
    await execute(transaction);
    say(`saved ${await host.save(transaction, config)}`);
    await commitSignal;
  });
  say(
    await committing.then(
      () => 'committed',
      (error: Error) => `rejected ${error.name}: ${error.message.replaceAll('\n', ' ')}`,
    ),
  );
  say(`again ${await host.run((transaction) => host.save(transaction, config))}`);
}

if (config.client === 'prisma') {
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: config.url }) });
  await main(new PrismaTransactionHost(prisma), (transaction) => transaction.$executeRawUnsafe(config.sql));
  await prisma.$disconnect();
} else {
  const type = config.database === 'postgresql' ? 'postgres' : 'mariadb';
  const source = await new DataSource({ type, url: config.url }).initialize();
  await main(new TypeOrmTransactionHost(source), (manager) => manager.query(config.sql));
  await source.destroy();
}
clearInterval(alive);
