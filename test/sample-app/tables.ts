import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import type { Query } from './embedded.js';

export type Tables = Readonly<Record<'zip_codes' | 'shipping_zones' | 'bird_strikes' | 'claims', readonly object[]>>;

/** What the sample's tables must hold when the first `rows` rows of each file were imported. */
export function expectedTables(rows: number): Tables {
  const zipCodes = readCsv('zipcodes').slice(0, rows);
  const strikes = readCsv('birdstrikes').slice(0, rows);
  const costs = strikes.map((strike) => Number(strike['Cost Total $']));
  return {
    zip_codes: zipCodes.map(({ zip_code: code, latitude, longitude, ...place }) => ({
      code,
      ...place,
      latitude: Number(latitude),
      longitude: Number(longitude),
    })),
    shipping_zones: zipCodes.map((zip) => ({
      code: zip.zip_code,
      ...zoneOf(Number(zip.latitude), Number(zip.longitude)),
    })),
    bird_strikes: strikes.map((strike, index) => ({
      row: index + 1,
      airport: strike['Airport Name'],
      aircraft: strike['Aircraft Make Model'],
      species: strike['Wildlife Species'],
      flight_date: strike['Flight Date'],
      cost_usd: costs[index],
    })),
    claims: costs.map((cost, index) => ({
      strike: index + 1,
      ruling: cost === 0 ? 'no damage' : cost > 5_000 ? 'paid' : 'own risk',
      payout_usd: cost > 5_000 ? cost - 5_000 : 0,
    })),
  };
}

export async function actualTables(query: Query): Promise<Tables> {
  const rowsOf = (table: string, key: string) => query(`SELECT * FROM iteration_sample.${table} ORDER BY ${key}`);
  return {
    zip_codes: await rowsOf('zip_codes', 'code COLLATE "C"'),
    shipping_zones: await rowsOf('shipping_zones', 'code COLLATE "C"'),
    bird_strikes: await query(
      'SELECT row, airport, aircraft, species, flight_date::text, cost_usd FROM iteration_sample.bird_strikes ORDER BY row',
    ),
    claims: await rowsOf('claims', 'strike'),
  };
}

function readCsv(name: string): Record<string, string>[] {
  const file = new URL(`../../node_modules/vega-datasets/data/${name}.csv`, import.meta.url);
  return parse(readFileSync(file), { columns: true });
}

const WAREHOUSES = [
  ['Reno', 39.53, -119.81],
  ['Dallas', 32.78, -96.8],
  ['Columbus', 39.96, -83],
  ['Harrisburg', 40.27, -76.88],
  ['Atlanta', 33.75, -84.39],
] as const;

function zoneOf(latitude: number, longitude: number): { warehouse: string; km: number; zone: number } {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const [nearest] = WAREHOUSES.map(([warehouse, lat, long]) => {
    const [a, b, c] = [radians(lat), radians(latitude), radians(longitude - long)];
    const cosine = Math.sin(a) * Math.sin(b) + Math.cos(a) * Math.cos(b) * Math.cos(c);
    return { warehouse, km: Math.round(6_371 * Math.acos(Math.min(1, cosine))) };
  }).sort((one, other) => one.km - other.km) as [{ warehouse: string; km: number }];
  const zone = [80, 240, 480, 970, 1_600, 2_250, 2_900].findIndex((end) => nearest.km <= end);
  return { ...nearest, zone: zone === -1 ? 8 : zone + 1 };
}
