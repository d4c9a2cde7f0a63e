const TICK_MS = 100;
/** What a timer is late by on any machine. */
const USUAL_MS = 25;

/** Says when a timer of this process was served too late: the machine was busy, and the locks may have been renewed as late. */
export function tellLateness(): void {
  let dueAt = Date.now() + TICK_MS;
  setInterval(() => {
    const now = Date.now();
    if (now > dueAt + USUAL_MS) process.stdout.write(`late ${now - dueAt}\n`);
    dueAt = now + TICK_MS;
  }, TICK_MS).unref();
}

/** How late a line says that its process was; undefined for any other line. */
export function latenessOf(line: string): number | undefined {
  const [, ms] = /^late (\d+)$/.exec(line) ?? [];
  return ms === undefined ? undefined : Number(ms);
}
