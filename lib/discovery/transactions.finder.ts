import { inspect } from 'node:util';
import type { InjectionToken, Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { InvalidProcessorError } from '../iteration.errors.js';
import type { TransactionHost } from '../transactions/transaction.host.js';
import { findProvided, type NestModule } from './nest.js';

const METHODS: readonly (keyof TransactionHost<unknown>)[] = ['run', 'claim', 'save', 'read', 'remove', 'isTransient'];

/**
 * The transaction host that a processor names: as its module sees it, else as any does.
 *
 * @throws InvalidProcessorError when nothing is provided under its token, or no transaction host.
 */
export function findTransactions(
  { type, module, token }: { type: Type; module: NestModule; token: InjectionToken | undefined },
  modules: ModulesContainer,
): TransactionHost<unknown> | undefined {
  if (token === undefined) return undefined;
  const name = typeof token === 'function' ? token.name : String(token);
  let host = findProvided<TransactionHost<unknown>>(module, token);
  for (const other of modules.values()) host ??= other.providers.get(token)?.instance as typeof host;
  if (!host) {
    throw new InvalidProcessorError(
      type.name,
      `its transactions "${name}" are not provided. Add a provider to ${module.name}: ` +
        `{ provide: ${name}, useFactory: (dataSource) => new TypeOrmTransactionHost(dataSource), inject: [DataSource] }`,
    );
  }
  const missing = METHODS.filter((method) => typeof host[method] !== 'function');
  if (missing.length === 0) return host;
  throw new InvalidProcessorError(
    type.name,
    `its transactions "${name}" are ${inspect(host, { depth: 0 })}, which has no ${missing.join(', ')}: provide a ` +
      'TypeOrmTransactionHost, a PrismaTransactionHost, or a TransactionHost of your own',
  );
}
