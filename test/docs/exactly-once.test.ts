import { describe, expect, it } from 'vitest';
import { prismaMigration, prismaModel } from '../../lib/index.js';
import { blocksOf, documentOf } from '../support/markdown.js';

const blocks = blocksOf(documentOf('docs/exactly-once.md'));

describe('docs/exactly-once.md', () => {
  it('the Prisma model and table equal the output of prismaModel() and prismaMigration()', () => {
    const text = (language: string) => blocks.find((block) => block.language === language)?.text.trim();
    expect(text('prisma')).toBe(prismaModel('postgresql').trim());
    const sql = blocks.find((block) => block.language === 'sql' && block.text.startsWith('CREATE'))?.text;
    expect(sql?.trim()).toBe(prismaMigration('postgresql').trim());
  });
});
