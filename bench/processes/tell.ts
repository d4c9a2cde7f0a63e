/** What a process of a bench tells it, and when: milliseconds of a clock that all processes share. */
export interface Told {
  readonly what: string;
  readonly at: number;
}

/** Where a bench keeps its queue. */
export interface Place {
  readonly connection: { readonly host: string; readonly port: number };
  readonly prefix: string;
}

export function now(): number {
  return performance.timeOrigin + performance.now();
}

export function tell(what: string, facts: Readonly<Record<string, unknown>> = {}): void {
  process.send?.({ what, at: now(), ...facts } satisfies Told);
}

/** What a bench has told this process. */
export function config<Config>(): Config {
  return JSON.parse(process.argv[2] as string) as Config;
}
