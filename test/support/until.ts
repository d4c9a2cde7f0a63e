/** A net against what never happens, shorter than Vitest's, so that the failure says what was waited for. */
const NET_MS = 600_000;

/** Waits until `condition` gives something, and returns that; fails with `what` when that never happens. */
export async function until<T>(
  what: string | (() => string),
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  netMs = NET_MS,
): Promise<T> {
  const deadline = performance.now() + netMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline)
      throw new Error(`Not within ${netMs / 1_000} s: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Holds whoever waits at it until it is opened, and tells who has come. */
export class Gate {
  readonly #opened: Promise<void>;
  readonly #reached: Promise<void>;
  #open!: () => void;
  #reach!: () => void;

  constructor() {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
    this.#reached = new Promise((resolve) => {
      this.#reach = resolve;
    });
  }

  /** Resolves when somebody waits at the gate. */
  get reached(): Promise<void> {
    return this.#reached;
  }

  open(): void {
    this.#open();
  }

  wait(): Promise<void> {
    this.#reach();
    return this.#opened;
  }
}
