import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Balances connections over nodes in turn, as what stands in front of them does; knows only TCP. */
export class Proxy {
  /** Ports of the nodes that get new connections; where there is none, they are closed at once. */
  targets: number[];
  /** Cuts each new connection behind so many WebSocket frames of the node, and a few bytes. */
  cutAfter: number | undefined;
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

  /** Cuts the connections that are open; new ones still go through. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  private forward(client: Socket): void {
    const target = this.targets[this.turn++ % this.targets.length];
    if (target === undefined) {
      client.destroy();
      return;
    }
    const node = connect(target, '127.0.0.1');
    client.pipe(node);
    if (this.cutAfter === undefined) node.pipe(client);
    else cut(node, client, this.cutAfter);
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

/** Of the frame behind those that go through: too little to be one. */
const PIECE = 5;

function cut(node: Socket, client: Socket, frames: number): void {
  let bytes = Buffer.alloc(0);
  const look = (data: Buffer): void => {
    bytes = Buffer.concat([bytes, data]);
    let end = bytes.indexOf('\r\n\r\n') + 4;
    for (let frame = 0; frame < frames; frame++) {
      if (end < 4 || bytes.length < end + 4) return void client.write(data);
      const short = bytes[end + 1]!;
      end += short < 126 ? 2 + short : 4 + bytes.readUInt16BE(end + 2);
    }
    if (bytes.length < end) return void client.write(data);
    const sent = bytes.length - data.length;
    client.end(data.subarray(0, Math.max(0, end + PIECE - sent)));
    node.off('data', look).destroy();
  };
  node.on('data', look);
}

export function portOf(url: string): number {
  return Number(new URL(url).port);
}
