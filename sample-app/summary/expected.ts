import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { BIRD_STRIKES_CSV, type BirdStrikeRecord, ZIP_CODES_CSV, type ZipCodeRecord } from '../csv-files.js';

/** Figures by name: what the tables must hold in the end. */
export type Figures = Readonly<Record<string, number>>;

export interface CsvFiles {
  readonly zipCodes: readonly ZipCodeRecord[];
  readonly strikes: readonly BirdStrikeRecord[];
}

export function readCsvFiles(): CsvFiles {
  return { zipCodes: readCsv(ZIP_CODES_CSV), strikes: readCsv(BIRD_STRIKES_CSV) };
}

/** Computes the figures from the first `rows` rows of the files, without any code of the processors. */
export function expectedFigures(files: CsvFiles, rows?: number): Figures {
  const zipCodes = files.zipCodes.slice(0, rows);
  const strikes = files.strikes.slice(0, rows);
  const zones = zipCodes.map(zoneOf);
  const costs = strikes.map((strike) => Number(strike['Cost Total $']));
  const figures: Record<string, number> = {
    'zip codes': zipCodes.length,
    'zip codes: states': new Set(zipCodes.map(({ state }) => state)).size,
    'zip codes: degrees': Math.round(sum(zipCodes.map((zip) => Number(zip.latitude) + Number(zip.longitude)))),
    'shipping zones': zones.length,
    'shipping zones: km': sum(zones.map(({ km }) => km)),
    'bird strikes': strikes.length,
    'bird strikes: USD': sum(costs),
    claims: strikes.length,
    'claims: paid': costs.filter((cost) => cost > 5_000).length,
    'claims: own risk': costs.filter((cost) => cost > 0 && cost <= 5_000).length,
    'claims: USD paid': sum(costs.filter((cost) => cost > 5_000).map((cost) => cost - 5_000)),
  };
  for (const { warehouse } of zones) {
    const name = `shipping zones: from ${warehouse}`;
    figures[name] = (figures[name] ?? 0) + 1;
  }
  return figures;
}

function readCsv<Row>(file: URL): Row[] {
  return parse(readFileSync(file), { columns: true });
}

const WAREHOUSES: readonly { name: string; at: [latitude: number, longitude: number] }[] = [
  { name: 'Reno', at: [39.53, -119.81] },
  { name: 'Dallas', at: [32.78, -96.8] },
  { name: 'Columbus', at: [39.96, -83] },
  { name: 'Harrisburg', at: [40.27, -76.88] },
  { name: 'Atlanta', at: [33.75, -84.39] },
];

function zoneOf({ latitude, longitude }: ZipCodeRecord): { warehouse: string; km: number } {
  const there = onUnitSphere(Number(latitude), Number(longitude));
  const reached = WAREHOUSES.map(({ name, at }) => ({
    warehouse: name,
    km: Math.round(6_371 * angle(onUnitSphere(...at), there)),
  }));
  return reached.sort((one, other) => one.km - other.km)[0] as { warehouse: string; km: number };
}

type Vector = readonly [number, number, number];

function onUnitSphere(latitude: number, longitude: number): Vector {
  const [phi, lambda] = [(latitude / 180) * Math.PI, (longitude / 180) * Math.PI];
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
}

function angle([a, b, c]: Vector, [x, y, z]: Vector): number {
  return Math.atan2(Math.hypot(b * z - c * y, c * x - a * z, a * y - b * x), a * x + b * y + c * z);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
