import {
  type BuildContext,
  BuildEnumerator,
  EachIteration,
  EnumeratorBuilder,
  type IterationContext,
  IterativeProcessor,
} from 'nestjs-iteration';
import type { BirdStrike } from '../prisma/generated/client.js';
import { PrismaService } from '../prisma/prisma.service.js';

type Data = { ownRiskUsd: number };

/** Step 2, with Prisma: what an insurance would pay for each bird strike. */
@IterativeProcessor({ queue: 'sample', name: 'settle-claims' })
export class SettleClaims {
  constructor(
    private readonly enumerators: EnumeratorBuilder,
    private readonly prisma: PrismaService,
  ) {}

  @BuildEnumerator()
  build({ cursor }: BuildContext<Data>) {
    return this.enumerators.prisma.records(this.prisma.birdStrike, {}, { cursor });
  }

  @EachIteration()
  async settle({ row, costUsd }: BirdStrike, { data }: IterationContext<Data>) {
    const claim = {
      ruling: costUsd === 0 ? 'no damage' : costUsd <= data.ownRiskUsd ? 'own risk' : 'paid',
      payoutUsd: Math.max(0, costUsd - data.ownRiskUsd),
    };
    await this.prisma.claim.upsert({ where: { strike: row }, create: { strike: row, ...claim }, update: claim });
  }
}
