import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Balances connections over nodes in turn, as what stands in front of them does; knows only TCP. */
export class Proxy {
  /** Ports of the nodes that get new connections. */
  targets: number[];
  private readonly server = createServer((client) => this.forward(client));
  private readonly sockets = new Set<Socket>();
  private turn = 0;

  private constructor(targets: number[]) {
    this.targets = targets;
  }

  /** @param urls of the nodes */
  static async start(urls: string[]): Promise<Proxy> {
    const proxy = new Proxy(urls.map(portOf));
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private forward(client: Socket): void {
    const node = connect(this.targets[this.turn++ % this.targets.length]!, '127.0.0.1');
    client.pipe(node).pipe(client);
    for (const [socket, other] of [
      [client, node],
      [node, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.once('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
  }
}

export function portOf(url: string): number {
  return Number(new URL(url).port);
}
