import type { CsvCursor } from './fingerprint.js';
import type { CsvPage } from './pages.js';

/** How many places are kept for each part, and at least: a part differs from the others by a few percent at most. */
const PLACES_A_PART = 32;
const LEAST_PLACES = 1_024;

/**
 * The cursors that cut a CSV into `count` parts of about the same number of bytes, from its pages. There are fewer if there
 * are fewer records. No part is empty.
 */
export async function cutsOf(pages: AsyncIterable<CsvPage<unknown>>, count: number): Promise<readonly CsvCursor[]> {
  const places = new Places(Math.max(LEAST_PLACES, count * PLACES_A_PART));
  let end = 0;
  for await (const page of pages) {
    places.add(page);
    end = page.offsets.at(-1) ?? end;
  }
  const inside = places.all.filter(({ offset }) => offset < end);
  const cuts: CsvCursor[] = [];
  for (let part = 1; part < count; part++) {
    const cut = nearest(inside, (part * end) / count);
    if (cut && cut.offset > (cuts.at(-1)?.offset ?? 0)) cuts.push(cut);
  }
  return cuts;
}

/** Cursors after some of the records, at even distances. The size of the file need not be known, and memory is bounded. */
class Places {
  all: CsvCursor[] = [];
  #distance = 1;

  constructor(private readonly most: number) {}

  add(page: CsvPage<unknown>): void {
    let next = this.#next;
    for (const [index, offset] of page.offsets.entries()) {
      if (offset < next) continue;
      this.all.push(page.cursorAt(index));
      next = offset + this.#distance;
    }
    while (this.all.length > this.most) this.#thin();
  }

  get #next(): number {
    const last = this.all.at(-1);
    return last ? last.offset + this.#distance : 0;
  }

  #thin(): void {
    this.#distance *= 2;
    let next = 0;
    this.all = this.all.filter(({ offset }) => {
      if (offset < next) return false;
      next = offset + this.#distance;
      return true;
    });
  }
}

/** The place that is closest to a byte. */
function nearest(places: readonly CsvCursor[], byte: number): CsvCursor | undefined {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((places[middle] as CsvCursor).offset < byte) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [places[low - 1], places[low]];
  if (!before || !after) return before ?? after;
  return byte - before.offset < after.offset - byte ? before : after;
}
