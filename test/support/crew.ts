import { WorkerProcess } from './processes.js';

/** So many workers, each of which is started again when it has died. */
export class Crew<Config extends object> {
  /** All that there were, in the order in which they were started. */
  readonly processes: WorkerProcess<Config>[] = [];
  #dismissed = false;

  constructor(
    private readonly config: Config,
    private readonly program: string,
    size = 1,
  ) {
    for (let place = 0; place < size; place++) void this.#fill();
  }

  get alive(): WorkerProcess<Config>[] {
    return this.processes.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  }

  /** What all of them said, process by process. */
  get lines(): string[] {
    return this.processes.flatMap(({ lines }) => lines);
  }

  /** How often a line was said. */
  count(pattern: RegExp): number {
    return this.lines.filter((line) => pattern.test(line)).length;
  }

  /** The items that a job handled, run by run, as often as it did. */
  items(job: string): number[] {
    const handled = this.lines.flatMap((line) => {
      const [, id, items = '', run] = /^item (\S+) (\S+) (\d+)$/.exec(line) ?? [];
      return id === job ? [{ items: items.split(',').map(Number), run: Number(run) }] : [];
    });
    return handled.sort((one, other) => one.run - other.run).flatMap(({ items }) => items);
  }

  async dismiss(): Promise<void> {
    this.#dismissed = true;
    await Promise.all(this.alive.map((process) => process.kill()));
  }

  async #fill(): Promise<void> {
    while (!this.#dismissed) {
      const process = new WorkerProcess(this.config, this.program);
      this.processes.push(process);
      await process.exited;
    }
  }
}
