/**
 * How much processor time this process has used since, in milliseconds. Where nothing but a computation is measured it is
 * what a clock would say on a machine that does nothing else, however busy this one is.
 */
export function processorTime(): () => number {
  const since = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(since);
    return (user + system) / 1_000;
  };
}
