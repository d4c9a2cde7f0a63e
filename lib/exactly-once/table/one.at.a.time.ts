/** Runs one piece of work at a time, in the order of the calls. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();

  run<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    // The next one runs even if this one fails.
    this.#last = turn.catch(() => {});
    return turn;
  }
}
