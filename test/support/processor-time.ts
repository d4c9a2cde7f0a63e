/**
 * Returns a function that measures the processor time of this process since the call, in milliseconds. For a pure
 * computation, this is the time that it would take on an idle machine.
 */
export function processorTime(): () => number {
  const since = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(since);
    return (user + system) / 1_000;
  };
}
