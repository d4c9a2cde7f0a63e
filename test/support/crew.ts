import { WorkerProcess } from './processes.js';

/** A fixed number of workers. Each one is replaced when it has died. */
export class Crew<Config extends object> {
  /** All processes so far, in the order in which they were started. */
  readonly processes: WorkerProcess<Config>[] = [];
  #dismissed = false;

  constructor(
    /** The configuration of each process, numbered from 0. */
    private readonly configOf: (index: number) => Config,
    private readonly program: string,
    private readonly options: {
      readonly size?: number;
      /** Called when a process has died, before the next one is started. */
      readonly died?: (pid: number | undefined) => Promise<void>;
    } = {},
  ) {
    for (let place = 0; place < (options.size ?? 1); place++) void this.#fill();
  }

  get alive(): WorkerProcess<Config>[] {
    return this.processes.filter(({ child }) => child.exitCode === null && child.signalCode === null);
  }

  /** How many processes were killed or killed themselves. */
  get killed(): number {
    return this.processes.filter(({ child }) => child.signalCode === 'SIGKILL').length;
  }

  /** The lines of all processes, process by process. */
  get lines(): string[] {
    return this.processes.flatMap(({ lines }) => lines);
  }

  /** How many lines match. */
  count(pattern: RegExp): number {
    return this.lines.filter((line) => pattern.test(line)).length;
  }

  /** The items that a job handled, run by run, with repeats. */
  items(job: string): number[] {
    return this.handled(job).flatMap(({ items }) => items);
  }

  /** What a job handled, run by run, and whether the run was in careful mode. */
  handled(job: string): { items: number[]; run: number; isCareful: boolean }[] {
    const handled = this.lines.flatMap((line) => {
      const [, id, items = '', run, mode] = /^item (\S+) (\S+) (\d+) (\w+)$/.exec(line) ?? [];
      return id === job
        ? [{ items: items.split(',').map(Number), run: Number(run), isCareful: mode === 'careful' }]
        : [];
    });
    return handled.sort((one, other) => one.run - other.run);
  }

  async dismiss(): Promise<void> {
    this.#dismissed = true;
    await Promise.all(this.alive.map((process) => process.kill()));
  }

  async #fill(): Promise<void> {
    while (!this.#dismissed) {
      const process = new WorkerProcess(this.configOf(this.processes.length), this.program);
      this.processes.push(process);
      await process.exited;
      if (!this.#dismissed) await this.options.died?.(process.child.pid);
    }
  }
}
