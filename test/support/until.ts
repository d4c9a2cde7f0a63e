/** Timeout of {@link until}. Shorter than Vitest's, so that the failure names the missing condition. */
const NET_MS = 600_000;

/** Waits until `condition` returns a value, and returns the value; throws with `what` after the timeout. */
export async function until<T>(
  what: string | (() => string),
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  netMs = NET_MS,
): Promise<T> {
  const deadline = performance.now() + netMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline)
      throw new Error(`Not within ${netMs / 1_000} s: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
