import type { InjectionToken, Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { TransactionHost } from '../definition/index.js';
import { describe } from '../describe.js';
import { PrismaTransactionHost } from '../exactly-once/prisma/index.js';
import { TypeOrmTransactionHost } from '../exactly-once/typeorm/index.js';
import { InvalidProcessorError } from '../iteration.errors.js';
import { findProvider, type NestModule } from './nest.js';

const METHODS: readonly (keyof TransactionHost<unknown>)[] = ['run', 'claim', 'save', 'read', 'remove', 'isTransient'];

/**
 * The transaction host that a processor names: as its module sees it, else as any does.
 *
 * @throws InvalidProcessorError when nothing is provided under its token, or no transaction host.
 */
export function findTransactions(
  token: InjectionToken,
  { type, module, modules }: { type: Type; module: NestModule; modules: ModulesContainer },
): TransactionHost<unknown> {
  const name = typeof token === 'function' ? token.name : String(token);
  let provider = findProvider(module, token);
  for (const other of modules.values()) provider ??= other.providers.get(token);
  if (!provider?.instance) {
    throw new InvalidProcessorError(
      type.name,
      `its transactions "${name}" are not provided. Add a provider to ${module.name}: ${providerOf(token, name)}`,
    );
  }
  if (!provider.isDependencyTreeStatic() || provider.isTransient) {
    throw new InvalidProcessorError(
      type.name,
      `its transactions "${name}", or something they inject, are request-scoped or transient; jobs have no request. Make them a singleton`,
    );
  }
  const host = provider.instance as TransactionHost<unknown>;
  const missing = METHODS.filter((method) => typeof host[method] !== 'function');
  if (missing.length === 0) return host;
  throw new InvalidProcessorError(
    type.name,
    `its transactions "${name}" are ${describe(host)}, which has no ${missing.join(', ')}: provide a ` +
      'TypeOrmTransactionHost, a PrismaTransactionHost, or a TransactionHost of your own',
  );
}

/** How a host of the token's own kind is provided; a token that says no kind gets the example of TypeORM. */
function providerOf(token: InjectionToken, name: string): string {
  const isHost = (host: Type<unknown>) =>
    typeof token === 'function' && (token === host || token.prototype instanceof host);
  if (isHost(PrismaTransactionHost as Type<unknown>)) {
    return `{ provide: ${name}, useFactory: (prisma) => new ${name}(prisma), inject: [PrismaService] }, with your own PrismaClient`;
  }
  const host = isHost(TypeOrmTransactionHost as Type<unknown>) ? name : 'TypeOrmTransactionHost';
  const typeOrm = `{ provide: ${name}, useFactory: (dataSource) => new ${host}(dataSource), inject: [DataSource] }`;
  return host === name ? typeOrm : `${typeOrm}, or a PrismaTransactionHost of a PrismaClient`;
}
