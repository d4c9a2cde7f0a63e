import { GlideClient } from '@valkey/valkey-glide';
import type { ConnectionOptions } from 'bullmq';
import { createValkeyGlideClient } from 'bullmq';

export async function connection(): Promise<ConnectionOptions> {
  const { hostname, port } = new URL(process.env.REDIS_URL as string);
  const client = await GlideClient.createClient({ addresses: [{ host: hostname, port: Number(port) }] });
  return createValkeyGlideClient(client) as never;
}
