const TICK_MS = 100;
/** How late a timer fires on any machine. */
const USUAL_MS = 25;

/** Prints when a timer of this process fires too late: the machine is busy, and lock renewals may be as late. */
export function printLateness(): void {
  let dueAt = Date.now() + TICK_MS;
  setInterval(() => {
    const now = Date.now();
    if (now > dueAt + USUAL_MS) process.stdout.write(`late ${now - dueAt}\n`);
    dueAt = now + TICK_MS;
  }, TICK_MS).unref();
}

/** The milliseconds in a line of {@link printLateness}; undefined for any other line. */
export function latenessOf(line: string): number | undefined {
  const [, ms] = /^late (\d+)$/.exec(line) ?? [];
  return ms === undefined ? undefined : Number(ms);
}
