import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { portOf } from '../../gateway/test/proxy.ts';

/** What a node writes to a client on its way: called with each chunk, and what lets bytes go on. */
export type Way = (chunk: Buffer, forward: (bytes: Buffer) => void) => void;

/** What becomes of the connections of somebody whose network is gone for a while. */
export type Outage =
  /** Nothing passes, then all goes on. */
  | 'held'
  /** Both sides notice at once; connects fail until it is back. */
  | 'noticed'
  /** Nothing passes; when it is back both sides find their connection broken. */
  | 'reset'
  /** Nothing passes; then the client's address is another: the node is never told that it has gone. */
  | 'half-open';

interface Link {
  readonly client: Socket;
  readonly node: Socket;
}

/**
 * Balances connections over nodes in turn, and is the network between people and nodes: whose URL says
 * `client=<name>`, that one's can be taken away.
 */
export class Balancer {
  /** URLs of nodes that get new connections. */
  targets: readonly string[];
  /** When connections came, ms since the epoch. */
  readonly connects: number[] = [];
  private readonly newWay: (() => Way) | undefined;
  private readonly server = createServer((client) => this.accept(client));
  private readonly links = new Map<string, Set<Link>>();
  private readonly sockets = new Set<Socket>();
  /** How long it took people from having a network again to a connection, ms. */
  readonly returns: number[] = [];
  private readonly away = new Set<string>();
  private readonly backAt = new Map<string, number>();
  private turn = 0;

  private constructor(targets: readonly string[], newWay?: () => Way) {
    this.targets = targets;
    this.newWay = newWay;
  }

  /** @param newWay makes what stands in the way of one connection's bytes to its client */
  static async start(targets: readonly string[], newWay?: () => Way): Promise<Balancer> {
    const balancer = new Balancer(targets, newWay);
    balancer.server.listen(0, '127.0.0.1');
    await once(balancer.server, 'listening');
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Takes somebody's network away. @param ms for how long */
  outage(client: string, ms: number, kind: Outage): void {
    const links = [...(this.links.get(client) ?? [])];
    this.away.add(client);
    for (const link of links) {
      if (kind === 'noticed') close(link.client, link.node);
      else for (const socket of [link.client, link.node]) socket.pause();
    }
    setTimeout(() => {
      this.away.delete(client);
      if (kind !== 'held' && links.length > 0) this.backAt.set(client, performance.now());
      for (const { client: near, node } of links) {
        if (kind === 'held') for (const socket of [near, node]) socket.resume();
        if (kind === 'reset') close(near, node);
        if (kind === 'half-open') {
          // Its end would be told to the node.
          near.removeAllListeners('close');
          near.destroy();
        }
      }
    }, ms);
  }

  /** People who have a network again and no connection yet. */
  get missing(): number {
    return this.backAt.size;
  }

  /** Ends one connection of a hundred, the first ones. For faults that are planted. */
  cutSome(): void {
    const all = [...this.links.values()].flatMap((links) => [...links]);
    for (const { client, node } of all.slice(0, Math.ceil(all.length / 100))) close(client, node);
  }

  /** Most connects of any second from a time on, in ms since the epoch. */
  peak(since: number): number {
    const perSecond = new Map<number, number>();
    for (const at of this.connects.filter((each) => each >= since)) {
      const second = Math.floor(at / 1000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
    return Math.max(0, ...perSecond.values());
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  /** Who it is stands in the first line. */
  private accept(client: Socket): void {
    this.sockets.add(client);
    client.setNoDelay();
    client.on('error', () => undefined);
    client.once('close', () => this.sockets.delete(client));
    client.once('data', (head: Buffer) => {
      const name = /[?&]client=([\w-]+)/.exec(head.toString('latin1'))?.[1];
      const target = this.targets[this.turn++ % this.targets.length];
      if (target === undefined || (name !== undefined && this.away.has(name))) client.destroy();
      else this.forward(client, target, name ?? '', head);
    });
  }

  private forward(client: Socket, target: string, name: string, head: Buffer): void {
    this.connects.push(Date.now());
    const backAt = this.backAt.get(name);
    if (backAt !== undefined) this.returns.push(performance.now() - backAt);
    this.backAt.delete(name);
    const node = connect(portOf(target), '127.0.0.1');
    node.setNoDelay();
    node.on('error', () => undefined);
    this.sockets.add(node);
    const link: Link = { client, node };
    const links = this.links.get(name) ?? new Set();
    this.links.set(name, links.add(link));
    const gone = () => {
      links.delete(link);
      this.sockets.delete(node);
      close(client, node);
    };
    client.once('close', gone);
    node.once('close', gone);
    const pass = (to: Socket, from: Socket, bytes: Buffer) => {
      if (to.destroyed || to.write(bytes)) return;
      from.pause();
      // In an outage nothing passes.
      to.once('drain', () => this.away.has(name) || from.resume());
    };
    node.write(head);
    client.on('data', (chunk: Buffer) => pass(node, client, chunk));
    const way = this.newWay?.();
    const forward = (bytes: Buffer) => pass(client, node, bytes);
    node.on('data', (chunk: Buffer) => (way ? way(chunk, forward) : forward(chunk)));
  }
}

function close(...sockets: Socket[]): void {
  for (const socket of sockets) socket.destroy();
}
