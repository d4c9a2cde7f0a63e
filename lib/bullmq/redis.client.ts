/** What is used of a Redis client: of ioredis, or of a client that BullMQ has wrapped. */
export interface RedisClient {
  defineCommand(name: string, definition: { numberOfKeys: number; lua: string }): void;
  hget(key: string, field: string): Promise<string | null>;
  /** Of a client that BullMQ has wrapped. */
  runCommand?(name: string, args: readonly unknown[]): Promise<unknown>;
}

/** Runs a command that `defineCommand` has added. */
export function runCommand(client: RedisClient, name: string, args: readonly unknown[]): Promise<unknown> {
  if (client.runCommand) return client.runCommand(name, args);
  return (client as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>)[name]?.(
    ...args,
  ) as Promise<unknown>;
}
