/** Public data from the npm package `vega-datasets`. */
const DATA = new URL('../data/', import.meta.resolve('vega-datasets'));

export const ZIP_CODES_CSV = new URL('zipcodes.csv', DATA);
export const BIRD_STRIKES_CSV = new URL('birdstrikes.csv', DATA);

export type ZipCodeRecord = Record<'zip_code' | 'latitude' | 'longitude' | 'city' | 'state' | 'county', string>;

export type BirdStrikeRecord = Record<
  'Airport Name' | 'Aircraft Make Model' | 'Flight Date' | 'Wildlife Species' | 'Cost Total $',
  string
>;

/** Data of the jobs that import a file. */
export type ImportOptions = {
  /** Number of rows to import; all of them by default. */
  rows?: number;
};
