import { checkJson, LARGE_CURSOR_BYTES } from '../cursor.js';
import type { Page } from '../enumerators/contract/index.js';
import type { OpenRun } from './run.js';

/** Called before the first item of a run is handled. @throws InvalidCursorError for a cursor that JSON would change (R8) */
export function checkFirstCursor(page: Page<unknown>, index: number, { log }: Pick<OpenRun, 'log'>): void {
  const bytes = checkJson(page.cursorAt(index));
  if (bytes > LARGE_CURSOR_BYTES) {
    log.warn(
      `its cursors are large (${bytes} bytes); each checkpoint, about one a second, sends a cursor to every listener`,
    );
  }
}
