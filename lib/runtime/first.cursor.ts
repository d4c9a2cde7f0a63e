import { checkJson, LARGE_CURSOR_BYTES } from '../cursor.js';
import type { Page } from '../enumerators/contract/index.js';
import type { RunWatch } from './run.timer.js';

/** Before the first item of a run is handled. @throws InvalidCursorError for a cursor that JSON would change (R8) */
export function checkFirstCursor(
  page: Page<unknown>,
  index: number,
  { warn, watch }: { readonly warn: (message: string) => void; readonly watch: RunWatch },
): void {
  const bytes = checkJson(page.cursorAt(index));
  if (bytes > LARGE_CURSOR_BYTES) {
    warn(`its cursors are large (${bytes} bytes): each is saved, and sent to whoever listens, about once a second`);
  }
  watch.itemsUntilLook = 0; // the clock of the run time starts with this item's end
}
