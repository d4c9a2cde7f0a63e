/** A suspect item waits this long: a process that is killed soon after its start then blames no item. */
const LIVE_FIRST_MS = 1_000;
/** A run waits no longer than this for its turn: an item that never ends must not hold up other jobs. */
const LONGEST_WAIT_MS = 30_000;

interface Suspect {
  readonly crashes: number;
  readonly begin: () => void;
  isReady: boolean;
}

/**
 * The runs of one process that begin with an item in which processes have died before (R19). They handle it one at a
 * time: when the process dies then, the others have been waiting, and nothing counts against them. The run with the
 * fewest crashes goes first: an innocent one finishes its item and is no longer a suspect.
 */
export class Quarantine {
  readonly #waiting = new Set<Suspect>();
  #current: Suspect | undefined;

  /**
   * Waits for the run's turn, or until `interrupted`.
   *
   * @returns Ends the turn: called when the item is finished, or the run has ended.
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
    if (!first?.isReady) return; // its timer calls this again
    this.#waiting.delete(first);
    this.#current = first;
    first.begin();
  }
}
