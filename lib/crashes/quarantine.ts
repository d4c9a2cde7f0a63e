/** A run waits so long before it handles an item under suspicion: who kills processes soon after their start blames no item. */
const LIVE_FIRST_MS = 1_000;
/** After so long it waits no more for another's turn: an item that never ends must not hold up other jobs. */
const LONGEST_WAIT_MS = 30_000;

interface Suspect {
  readonly crashes: number;
  readonly begin: () => void;
  isReady: boolean;
}

/**
 * The runs of one process that begin with an item in which processes have ended before (R19). One at a time handles it:
 * when the process ends then, the others have been waiting, and nothing counts against them. Who has crashed least goes
 * first: an innocent one finishes its item, and is out of suspicion.
 */
export class Suspects {
  readonly #waiting = new Set<Suspect>();
  #current: Suspect | undefined;

  /**
   * Waits for the run's turn, or until `interrupted`.
   *
   * @returns Ends the turn; to be called once the item is finished, or the run.
   */
  async turn(crashes: number, interrupted: Promise<void>): Promise<() => void> {
    let begin!: () => void;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const suspect = { crashes, begin, isReady: false };
    this.#waiting.add(suspect);
    const ready = setTimeout(() => {
      suspect.isReady = true;
      this.#next();
    }, LIVE_FIRST_MS);
    const longest = setTimeout(begin, LONGEST_WAIT_MS);
    await Promise.race([begun, interrupted]);
    clearTimeout(ready);
    clearTimeout(longest);
    return () => this.#end(suspect);
  }

  #end(suspect: Suspect): void {
    this.#waiting.delete(suspect);
    if (this.#current === suspect) this.#current = undefined;
    this.#next();
  }

  #next(): void {
    if (this.#current) return;
    const [first] = [...this.#waiting].sort((one, other) => one.crashes - other.crashes);
    if (!first?.isReady) return; // it comes back when it is
    this.#waiting.delete(first);
    this.#current = first;
    first.begin();
  }
}
