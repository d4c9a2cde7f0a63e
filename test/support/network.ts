import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './ports.js';

/** A proxy between a client and a server on this machine that can cut the connection. */
export class Network {
  /** Each end of a connection, with its other end. */
  readonly #ends = new Map<Socket, Socket>();
  #silent = false;
  #server: Server | undefined;

  private constructor(
    readonly port: number,
    private readonly target: number,
  ) {}

  static async to(target: number): Promise<Network> {
    const network = new Network(await freePort(), target);
    await network.restore();
    return network;
  }

  /** Ends every connection and refuses new ones. */
  cut(): void {
    this.#server?.close();
    this.#server = undefined;
    for (const end of this.#ends.keys()) end.destroy();
  }

  /** Stops all traffic, but keeps the connections open. */
  silence(): void {
    this.#silent = true;
    for (const end of this.#ends.keys()) end.unpipe().pause();
  }

  /** Resumes the traffic, and delivers what was sent meanwhile. */
  speak(): void {
    this.#silent = false;
    for (const [one, other] of this.#ends) one.pipe(other);
  }

  async restore(): Promise<void> {
    const server = createServer((client) => this.#join(client, connect(this.target, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.#server = server;
  }

  #join(client: Socket, server: Socket): void {
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#ends.set(one, other);
      one.on('error', () => {}); // its end follows
      one.on('close', () => {
        this.#ends.delete(one);
        other.destroy();
      });
      if (!this.#silent) one.pipe(other);
    }
  }
}
