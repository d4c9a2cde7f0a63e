import { isSameJson, type Json } from '../../cursor.js';

/** Detects in constant memory that a sequence repeats: Brent's algorithm, which remembers one value. */
export class CycleDetector {
  #remembered: Json | undefined;
  #left = 0;
  #length = 1;

  /** Whether `value` was seen before. A repetition is detected in its second cycle at the latest. */
  isRepeated(value: Json): boolean {
    if (this.#remembered !== undefined && isSameJson(value, this.#remembered)) return true;
    if (this.#left-- > 0) return false;
    this.#remembered = value;
    this.#left = this.#length;
    this.#length *= 2;
    return false;
  }
}
