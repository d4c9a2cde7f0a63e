/** Random cases of a property. `vitest.config.ts` sets `PROPERTY_CASES`. */
export const CASES = Number(process.env.PROPERTY_CASES ?? 1_000);

/** Of a property in memory: a case takes milliseconds, and with fewer of them a rare kind might not come. */
export const CASES_IN_MEMORY = Math.max(1_000, CASES);
