/** Lets one at a time do its work, in the order of coming. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    // The next one comes whatever became of this one.
    this.#last = turn.catch(() => {});
    return turn;
  }
}
