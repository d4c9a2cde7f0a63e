/** Runs every bench, or those that the arguments name, one after the other; the servers are started where none are given. */
import startServers from '../test/support/servers.js';

const BENCHES = ['run-loop', 'guarantees', 'typeorm', 'bulk', 'prisma', 'csv', 'failures'];

const stopServers = await startServers();
try {
  const named = process.argv.slice(2);
  for (const bench of named.length > 0 ? named : BENCHES) {
    console.log(`\n${bench}`);
    await import(`./${bench}.js`);
  }
} finally {
  await stopServers();
}
