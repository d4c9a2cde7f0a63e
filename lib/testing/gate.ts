/** Holds a handler until the test opens it, and reports when the handler waits: without a sleep. */
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

  /** Resolves when the first one waits. */
  get reached(): Promise<void> {
    return this.#reached;
  }

  /** Lets everybody pass who waits, now or later. */
  open(): void {
    this.#open();
  }

  /** Resolves when the gate is open. */
  wait(): Promise<void> {
    this.#reach();
    return this.#opened;
  }
}
