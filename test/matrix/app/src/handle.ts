import { once } from 'node:events';

/** The first worker is stopped in this item. */
const STOP_AT = 50;

export async function handle(kind: string, item: number): Promise<void> {
  if (item === STOP_AT && process.env.STOPS === 'yes') {
    console.log(`${kind} waits`);
    await once(process, 'SIGTERM');
  }
  console.log(`${kind} ${item}`);
}
