import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Connections that are looked at in one turn of the event loop. */
const STEP = 250;

interface Bytes {
  in: number;
  out: number;
}

/**
 * Bytes that came in and went out on the public port, as the system counts them: HTTP, frames and
 * all. Open connections are asked in steps after each reading, so that no reading holds the event loop.
 */
export class Traffic {
  private readonly open = new Set<Socket>();
  /** Of connections that are closed. */
  private readonly closed: Bytes = { in: 0, out: 0 };
  /** Of all, when they were last asked. */
  private total: Readonly<Bytes> = { in: 0, out: 0 };
  private asking = false;

  constructor(server: Server) {
    const { open, closed } = this;
    /** One for all connections: a closure each would cost heap. */
    function ended(this: Socket): void {
      open.delete(this);
      closed.in += this.bytesRead;
      closed.out += this.bytesWritten;
    }
    server.on('connection', (socket: Socket) => {
      open.add(socket);
      socket.on('close', ended);
    });
  }

  /** As of the reading before; begins the next look. */
  read(): Readonly<Bytes> {
    if (!this.asking) {
      this.asking = true;
      setImmediate(() => this.ask([...this.open], 0, { ...this.closed }));
    }
    return this.total;
  }

  /** A connection that closes meanwhile still has its numbers, and is not in `sum` twice. */
  private ask(sockets: readonly Socket[], from: number, sum: Bytes): void {
    for (const { bytesRead, bytesWritten } of sockets.slice(from, from + STEP)) {
      sum.in += bytesRead;
      sum.out += bytesWritten;
    }
    if (from + STEP < sockets.length) {
      setImmediate(() => this.ask(sockets, from + STEP, sum));
      return;
    }
    this.asking = false;
    this.total = sum;
  }
}
