/** Timeout of {@link until}. Shorter than Vitest's, so that the failure names the missing condition. */
const NET_MS = 600_000;

/** Waits until `condition` returns a value, and returns the value; throws with `what` after the timeout. */
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

/** Holds its waiters until it is opened, and reports when the first one waits. */
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

  /** Resolves when the first waiter is at the gate. */
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
