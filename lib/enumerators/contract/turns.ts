const PER_TURN = 64;

/** Gives the event loop its turn in a loop that may never wait for anything (R13). */
export class Turns {
  #left = PER_TURN;

  /** Waits for a turn every 64th time. */
  async pass(): Promise<void> {
    if (--this.#left > 0) return;
    this.#left = PER_TURN;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
