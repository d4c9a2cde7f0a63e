import { Injectable } from '@nestjs/common';
import { MultiBar, type SingleBar } from 'cli-progress';

/** The progress of a job, as the terminal shows it. */
export interface Advance {
  readonly done: number;
  readonly total: number;
  readonly note: string;
}

const LINE_EVERY_MS = 2_000;

/** Prints lines, and a progress bar per job below them. Without a terminal (CI), a bar is a line now and then. */
@Injectable()
export class Terminal {
  readonly #bars = new Map<string, SingleBar>();
  readonly #lines = new Map<string, { text: string; at: number }>();
  #multiBar: MultiBar | undefined;

  log(line: string): void {
    // Clears the rest of the bar that was in this line.
    if (this.#multiBar) this.#multiBar.log(`${line}\x1b[K\n`);
    else console.log(line);
  }

  show(title: string, advance: Advance): void {
    if (process.stdout.isTTY) this.#showBar(title, advance);
    else this.#showLine(title, advance);
  }

  /** Keeps the bars as they are; later lines go below them. */
  endBars(): void {
    this.#multiBar?.update(); // writes the pending lines
    this.#multiBar?.stop();
    this.#multiBar = undefined;
    this.#bars.clear();
  }

  #showBar(title: string, { done, total, note }: Advance): void {
    this.#multiBar ??= new MultiBar({
      format: '{title} {bar} {percentage}% {value}/{total} {note}',
      stream: process.stdout,
      barsize: 24,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      autopadding: true,
      forceRedraw: true, // a line above the bars moves them all
      linewrap: true, // the terminal's own setting, which a kill would leave changed
      gracefulExit: false, // its signal listener would keep Nest from ending the process
    });
    const bar = this.#bars.get(title) ?? this.#multiBar.create(total, 0, { title: title.padEnd(20), note });
    this.#bars.set(title, bar);
    bar.update(done, { note });
  }

  #showLine(title: string, { done, total, note }: Advance): void {
    const text = `${title}: ${Math.floor((100 * done) / total)}% ${done}/${total} ${note}`.trimEnd();
    const last = this.#lines.get(title);
    if (last?.text === text || (last && done < total && Date.now() - last.at < LINE_EVERY_MS)) return;
    this.#lines.set(title, { text, at: Date.now() });
    console.log(text);
  }
}
