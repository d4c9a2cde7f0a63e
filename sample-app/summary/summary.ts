import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DATA_SCHEMA } from '../servers/database.js';
import { Terminal } from '../terminal/terminal.js';
import type { Figures } from './expected.js';

const FIGURES = `
SELECT 'zip codes' AS name, count(*) AS value FROM zip_codes
UNION ALL SELECT 'zip codes: states', count(DISTINCT state) FROM zip_codes
UNION ALL SELECT 'zip codes: degrees', round(sum(latitude::numeric + longitude::numeric)) FROM zip_codes
UNION ALL SELECT 'shipping zones', count(*) FROM shipping_zones
UNION ALL SELECT 'shipping zones: km', sum(km) FROM shipping_zones
UNION ALL SELECT 'shipping zones: from ' || warehouse, count(*) FROM shipping_zones GROUP BY warehouse
UNION ALL SELECT 'bird strikes', count(*) FROM bird_strikes
UNION ALL SELECT 'bird strikes: USD', sum(cost_usd) FROM bird_strikes
UNION ALL SELECT 'claims', count(*) FROM claims
UNION ALL SELECT 'claims: ' || ruling, count(*) FROM claims WHERE ruling <> 'no damage' GROUP BY ruling
UNION ALL SELECT 'claims: USD paid', sum(payout_usd) FROM claims
ORDER BY name`;

/** Compares what the tables hold with what the CSV files say. */
@Injectable()
export class Summary {
  constructor(
    private readonly dataSource: DataSource,
    private readonly terminal: Terminal,
  ) {}

  /** Prints both. @returns whether they are equal. */
  async check(expected: Figures): Promise<boolean> {
    const actual = await this.#figures();
    const names = [...new Set([...Object.keys(expected), ...Object.keys(actual)])].sort();
    for (const name of names) {
      const [is, must] = [actual[name] ?? 0, expected[name] ?? 0];
      const line = `${name.padEnd(32)} ${is.toLocaleString('en').padStart(14)}`;
      this.terminal.log(is === must ? `✓ ${line}` : `✗ ${line}, but the CSV says ${must.toLocaleString('en')}`);
    }
    return names.every((name) => actual[name] === expected[name]);
  }

  async #figures(): Promise<Figures> {
    return this.dataSource.transaction(async (manager) => {
      await manager.query(`SET LOCAL search_path TO ${DATA_SCHEMA}`);
      const rows: { name: string; value: string | null }[] = await manager.query(FIGURES);
      return Object.fromEntries(rows.map(({ name, value }) => [name, Number(value)]));
    });
  }
}
