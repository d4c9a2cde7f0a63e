export type Warehouse = { name: string; latitude: number; longitude: number };

export const WAREHOUSES: Warehouse[] = [
  { name: 'Reno', latitude: 39.53, longitude: -119.81 },
  { name: 'Dallas', latitude: 32.78, longitude: -96.8 },
  { name: 'Columbus', latitude: 39.96, longitude: -83 },
  { name: 'Harrisburg', latitude: 40.27, longitude: -76.88 },
  { name: 'Atlanta', latitude: 33.75, longitude: -84.39 },
];
