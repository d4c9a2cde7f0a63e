import { isSameJson, type Json } from '../../cursor.js';

/** Notices, in constant memory, that what should always move on comes again: Brent's algorithm, which remembers one place. */
export class Rounds {
  #remembered: Json | undefined;
  #left = 0;
  #length = 1;

  /** Whether `place` was passed before: at the latest in the round after the one that has come to it again. */
  comesAgain(place: Json): boolean {
    if (this.#remembered !== undefined && isSameJson(place, this.#remembered)) return true;
    if (this.#left-- > 0) return false;
    this.#remembered = place;
    this.#left = this.#length;
    this.#length *= 2;
    return false;
  }
}
