/** Waits until `condition` gives something, and returns that; fails with `what` after `deadlineMs`. */
export async function until<T>(
  what: string | (() => string),
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline)
      throw new Error(`Not within ${deadlineMs} ms: ${typeof what === 'string' ? what : what()}`);
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
