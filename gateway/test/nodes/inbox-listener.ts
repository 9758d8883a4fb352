import { once } from 'node:events';
import {
  connect as dial,
  createServer,
  type AddressInfo,
  type Socket as NetSocket,
} from 'node:net';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { portOf } from '../proxy.js';

/** What the stock client keeps to itself. */
interface Internals {
  _pid?: string;
  onconnect(id: string, pid?: string): void;
}

/**
 * A stock client that comes back by itself and remembers the numbers that each of its sessions heard:
 * a continued session goes on with its list, a new one begins one.
 */
export class Listener {
  readonly socket: Socket;
  readonly sessions: number[][] = [];
  /** How often a session was continued. */
  continued = 0;
  heartbeats = 0;

  /** @param heard of each event, with its ack if there is one */
  constructor(
    url: string,
    token: string,
    options: Partial<ManagerOptions & SocketOptions> = {},
    heard: (n: number, ack: (() => void) | undefined) => void = () => undefined,
  ) {
    this.socket = io(url, {
      auth: { token },
      transports: ['websocket'],
      forceNew: true,
      // A connection that is cut before it is open is noticed by nothing else.
      timeout: 500,
      reconnectionDelay: 5,
      reconnectionDelayMax: 20,
      ...options,
    });
    const internals = this.socket as unknown as Internals;
    const onconnect = internals.onconnect.bind(this.socket);
    // Before the client hands over what came ahead of the connect.
    const counted: Internals['onconnect'] = (id, pid) => {
      if (pid !== undefined && pid === internals._pid) this.continued++;
      else this.sessions.push([]);
      onconnect(id, pid);
    };
    Object.assign(this.socket, { onconnect: counted });
    this.socket.io.on('ping', () => this.heartbeats++);
    this.socket.on('kept', ({ n }: { n: number }, ...rest: unknown[]) => {
      this.sessions.at(-1)!.push(n);
      const ack = rest.at(-1);
      heard(n, typeof ack === 'function' ? (ack as () => void) : undefined);
    });
  }

  /** All numbers that any session has heard. */
  get heard(): Set<number> {
    return new Set(this.sessions.flat());
  }

  /** Numbers that a session heard behind a higher one or a second time. */
  get astray(): number[] {
    return this.sessions.flatMap((numbers) =>
      numbers.filter((n, index) => index > 0 && n <= numbers[index - 1]!),
    );
  }

  close(): void {
    this.socket.disconnect();
  }
}

/** The network in front of a node, which ends each connection after so many bytes to the client. */
export class Cutter {
  readonly cuts: number[];
  private readonly sockets = new Set<NetSocket>();
  private readonly server = createServer((near) => this.forward(near));
  /** Connections that ended before their time. */
  cut = 0;

  private constructor(
    /** URLs of nodes, in turn. */
    private readonly targets: string[],
    cuts: readonly number[],
  ) {
    this.cuts = [...cuts];
  }

  /** @param cuts for one connection each; those that come later are not cut */
  static async start(targets: string[], cuts: readonly number[]): Promise<Cutter> {
    const cutter = new Cutter(targets, cuts);
    cutter.server.listen(0, '127.0.0.1');
    await once(cutter.server, 'listening');
    return cutter;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Ends all connections. */
  drop(): void {
    this.cut++;
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.drop();
    this.server.close();
    await once(this.server, 'close');
  }

  private forward(near: NetSocket): void {
    const target = this.targets[this.cut % this.targets.length]!;
    let left = this.cuts.shift() ?? Infinity;
    const far = dial(portOf(target), '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.once('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    near.on('data', (bytes: Buffer) => far.write(bytes));
    far.on('data', (bytes: Buffer) => {
      near.write(bytes.subarray(0, Math.min(left, bytes.length)));
      left -= bytes.length;
      if (left > 0) return;
      this.cut++;
      // What was written arrives, and nothing behind it.
      near.end();
      far.destroy();
    });
  }
}
