/** Most items that begin between two looks at the clock (R20)... */
const UNSEEN_ITEMS = 15;
/** ... and only after this many times as many since the event loop's last turn: they cannot have taken long. */
const SEEN_PER_UNSEEN = 128;

/**
 * The items that may begin before the clock is looked at again. Reading the clock costs as much as an item that does
 * nothing, and little time passes while a run does not wait.
 */
export class ItemCountdown {
  #left = 0;
  #itemsThisTurn = 0;
  #awaitsTick = false;

  /** Called before each item. */
  isOver(): boolean {
    return this.#left-- <= 0;
  }

  /** The clock is looked at now. */
  restart(): void {
    this.#itemsThisTurn++;
    this.#left = Math.min(UNSEEN_ITEMS, Math.floor(this.#itemsThisTurn / SEEN_PER_UNSEEN));
    this.#itemsThisTurn += this.#left;
    if (!this.#awaitsTick) this.#endAfterWaiting();
  }

  /** Node calls `nextTick` when no microtask is left, which a handler that never waits soon reaches. */
  #endAfterWaiting(): void {
    this.#awaitsTick = true;
    process.nextTick(() => {
      this.#awaitsTick = false;
      this.#itemsThisTurn = 0;
      this.#left = 0;
    });
  }
}
