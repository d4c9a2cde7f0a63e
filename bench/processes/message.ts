/** A message of a process to its bench, with its time in milliseconds of a clock that all processes share. */
export interface Message {
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

/** Sends a message to the bench. */
export function send(what: string, facts: Readonly<Record<string, unknown>> = {}): void {
  process.send?.({ what, at: now(), ...facts } satisfies Message);
}

/** The configuration that the bench gave this process. */
export function config<Config>(): Config {
  return JSON.parse(process.argv[2] as string) as Config;
}
