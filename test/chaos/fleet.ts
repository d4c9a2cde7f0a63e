import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { latenessOf } from './lateness.js';
import type { RecordRow } from './ledger.js';
import type { ChaosWorkerConfig } from './worker.config.js';

/** A worker that hangs this long after SIGTERM is killed. The checker decides whether a worker ended in time. */
const HANGS_MS = 240_000;
/** Delay before a worker that ended by itself is replaced: its replacement may end as fast. */
const RESPAWN_MS = 500;

interface Process {
  readonly name: string;
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly exited: Promise<unknown>;
  isReady: boolean;
  isFrozen: boolean;
  isAsked: boolean;
}

export interface FleetOptions {
  readonly slots: number;
  /** The compiled `worker.ts`. */
  readonly program: URL;
  readonly config: Omit<ChaosWorkerConfig, 'worker'>;
  readonly log: string;
  readonly record: (row: RecordRow) => void;
}

/** A fixed number of worker processes: one that is killed or terminated is replaced at once. */
export class Fleet {
  readonly #slots: Process[];
  readonly #leaving = new Set<Process>();
  readonly #thaws = new Set<Promise<void>>();
  #spawned = 0;
  #isEnding = false;

  constructor(private readonly options: FleetOptions) {
    this.#slots = Array.from({ length: options.slots }, (_, slot) => this.#spawn(slot));
    process.on('exit', this.#killAll);
  }

  /** Resolves when the first workers are ready. */
  get ready(): Promise<unknown> {
    const { log, program } = this.options;
    const failed = () => Promise.reject(new Error(`A worker (${program}) ended before it was ready; see ${log}`));
    return Promise.all(this.#slots.map(({ ready, exited }) => Promise.race([ready, exited.then(failed)])));
  }

  /** Kills the ready worker of the slot, or of the next slot that has one. @returns whether there was one. */
  kill(slot: number): boolean {
    return this.#take(slot, (worker) => {
      this.#record('kill', worker);
      worker.child.kill('SIGKILL');
      this.#leave(worker);
    });
  }

  /** Sends SIGTERM to a worker, as a deploy does. */
  term(slot: number): boolean {
    return this.#take(slot, (worker) => {
      this.#record('term', worker);
      worker.child.kill('SIGTERM');
      this.#leave(worker);
      const tooLate = setTimeout(() => worker.child.kill('SIGKILL'), HANGS_MS);
      void worker.exited.then(() => clearTimeout(tooLate));
    });
  }

  /** Stops a worker (SIGSTOP) for this time. */
  freeze(slot: number, forMs: number): boolean {
    return this.#take(slot, (worker) => {
      worker.isFrozen = true;
      this.#record('freeze', worker);
      worker.child.kill('SIGSTOP');
      const thaw = new Promise<void>((resolve) => setTimeout(resolve, forMs)).then(() => {
        worker.child.kill('SIGCONT');
        this.#record('thaw', worker);
        worker.isFrozen = false;
        this.#thaws.delete(thaw);
      });
      this.#thaws.add(thaw);
    });
  }

  /** Ends every worker, after the frozen ones have thawed. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#thaws);
    while (this.term(0));
    for (const { child, isReady } of this.#slots) if (!isReady) child.kill('SIGKILL');
    await Promise.all([...this.#slots, ...this.#leaving].map(({ exited }) => exited));
    process.off('exit', this.#killAll);
  }

  readonly #killAll = () => {
    for (const { child } of [...this.#slots, ...this.#leaving]) child.kill('SIGKILL');
  };

  #take(slot: number, disturb: (worker: Process) => void): boolean {
    const { slots } = this.options;
    const inTurn = Array.from({ length: slots }, (_, offset) => this.#slots[(slot + offset) % slots] as Process);
    const worker = inTurn.find(({ isReady, isFrozen, isAsked }) => isReady && !isFrozen && !isAsked);
    if (worker) disturb(worker);
    return worker !== undefined;
  }

  #leave(worker: Process): void {
    worker.isAsked = true;
    this.#leaving.add(worker);
    void worker.exited.then(() => this.#leaving.delete(worker));
    this.#replace(worker);
  }

  #replace(worker: Process): void {
    const slot = this.#slots.indexOf(worker);
    if (slot >= 0 && !this.#isEnding) this.#slots[slot] = this.#spawn(slot);
  }

  #spawn(slot: number): Process {
    const { config, log, program } = this.options;
    const name = `w${slot}.${++this.#spawned}`;
    const child = spawn(process.execPath, [program.pathname, JSON.stringify({ ...config, worker: name })], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    const exited = once(child, 'close').then(([code, signal]) => {
      this.options.record({ at: Date.now(), type: 'exit', worker: name, code, signal });
      spawned.isReady = false;
      if (!spawned.isAsked) setTimeout(() => this.#replace(spawned), RESPAWN_MS);
    });
    let beReady = () => {};
    const ready = new Promise<void>((resolve) => {
      beReady = resolve;
    });
    const spawned: Process = { name, child, ready, exited, isReady: false, isFrozen: false, isAsked: false };
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream as NodeJS.ReadableStream }).on('line', (line) => {
        const ms = latenessOf(line);
        if (ms !== undefined) return this.options.record({ at: Date.now(), type: 'late', worker: name, ms });
        if (line === 'ready') {
          spawned.isReady = true;
          beReady();
          this.#record('ready', spawned);
        }
        appendFileSync(log, `${new Date().toISOString()} ${name} ${line}\n`);
      });
    }
    return spawned;
  }

  #record(type: 'ready' | 'kill' | 'term' | 'freeze' | 'thaw', { name }: Process): void {
    this.options.record({ at: Date.now(), type, worker: name });
  }
}
