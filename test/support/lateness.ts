import { expect } from 'vitest';

const TICK_MS = 10;
/** Some milliseconds of work. */
const STEPS = 2_000_000;
/** On a machine that is late for more than this share of the time, a measured time proves nothing. */
const MOST = 0.9;

/**
 * Measures how long something takes, and how late this machine was meanwhile: how much too late a timer of this process
 * fired, or how much longer a small computation took than usual. The lateness extends every bound.
 */
export class Lateness {
  readonly #startedAt = performance.now();
  readonly #computing: boolean;
  #lateMs = 0;
  #shortestMs = Infinity;
  #timer: NodeJS.Timeout | undefined;

  /** @param options.computing Measures work that needs the processor, rather than work that mostly waits. */
  constructor({ computing = false }: { readonly computing?: boolean } = {}) {
    this.#computing = computing;
    this.#tick();
  }

  /** Fails when the work took longer than the bound plus the lateness of the machine. */
  expectWithin(boundMs: number, rule: string, tookMs = performance.now() - this.#startedAt): void {
    clearTimeout(this.#timer);
    const lateMs = Math.round(this.#lateMs);
    if (tookMs <= boundMs + lateMs) return;
    if (lateMs > MOST * tookMs)
      throw new Error(
        `This machine is too busy to prove ${rule}: of ${Math.round(tookMs)} ms, the test itself was late by ${lateMs} ms`,
      );
    expect(tookMs, `${rule}: milliseconds, of which the machine was late by ${lateMs}`).toBeLessThanOrEqual(boundMs);
  }

  #tick(): void {
    const dueAt = performance.now() + TICK_MS;
    this.#timer = setTimeout(() => {
      const stepMs = this.#computing ? compute() : 0;
      this.#shortestMs = Math.min(this.#shortestMs, stepMs);
      this.#lateMs += Math.max(0, performance.now() - dueAt - this.#shortestMs);
      this.#tick();
    }, TICK_MS);
  }
}

/** @returns the duration in milliseconds. */
function compute(): number {
  const startedAt = performance.now();
  let sum = 0;
  for (let step = 0; step < STEPS; step++) sum = (sum + step) | 0;
  if (sum === 1) throw new Error('Never, but it must be computed');
  return performance.now() - startedAt;
}
