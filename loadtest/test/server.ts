import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type ServerOptions, type Socket } from 'socket.io';

/** A stock Socket.IO server that writes down every packet of Engine.IO, connection by connection. */
export class StockServer {
  /** Bytes as hex, ids by the order in which they came. How the two directions interleave is chance. */
  readonly connections: { received: string[]; sent: string[] }[] = [];
  readonly io: Server;
  private readonly http: HttpServer = createServer();
  private readonly ids = new Map<string, string>();

  private constructor(options: Partial<ServerOptions>) {
    this.io = new Server(this.http, options);
    this.io.engine.on('connection', (connection: EngineSocket) => {
      const received: string[] = [];
      const sent: string[] = [];
      this.connections.push({ received, sent });
      const note = (frames: string[]) => (packet: EnginePacket) => {
        // When they come depends on time alone.
        if (packet.type === 'ping' || packet.type === 'pong' || packet.type === 'noop') return;
        frames.push(`${packet.type} ${this.named(text(packet.data))}`.trim());
      };
      connection.on('packetCreate', note(sent));
      connection.on('packet', note(received));
    });
  }

  static async start(options: Partial<ServerOptions> = {}): Promise<StockServer> {
    const server = new StockServer(options);
    server.http.listen(0, '127.0.0.1');
    await once(server.http, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    await this.io.close();
  }

  /** Ids are random: they are told apart, and nothing more. */
  private named(data: string): string {
    return data.replace(
      /"(sid|pid|offset)":"([^"]*)"|"([\w-]{7}(?:\.\w+)?)"(?=\]$)/g,
      (all, key, id, last) => {
        const value = (id ?? last) as string;
        if (key === undefined && !this.ids.has(value) && !/[A-Z_-]/.test(value)) return all;
        if (!this.ids.has(value)) this.ids.set(value, `#${this.ids.size}`);
        return all.replace(value, this.ids.get(value)!);
      },
    );
  }
}

/** What answers the clients of `conversation.ts`. */
export function answer(io: Server): void {
  io.use((socket, next) => {
    const { refuse } = socket.handshake.auth;
    next(refuse ? Object.assign(new Error('refused'), { data: { code: refuse } }) : undefined);
  });
  const serve = (socket: Socket): void => {
    socket.on('echo', (...args: unknown[]) => {
      const give = args.pop() as (...args: unknown[]) => void;
      give(...args);
    });
    socket.on('ask', (...args: unknown[]) => {
      const give = args.pop() as (...args: unknown[]) => void;
      socket.emit('question', ...args, (...answers: unknown[]) => give('answered', ...answers));
    });
    socket.on('drop', () => socket.conn.close());
    socket.on('kick', () => socket.disconnect());
    socket.on('kick-all', () => socket.disconnect(true));
    socket.emit('welcome', { a: 'local event' });
  };
  io.on('connection', serve);
  io.of('/other').on('connection', serve);
}

interface EnginePacket {
  type: string;
  data?: unknown;
}
interface EngineSocket {
  on(event: 'packet' | 'packetCreate', listener: (packet: EnginePacket) => void): void;
}

function text(data: unknown): string {
  if (data === undefined) return '';
  if (typeof data === 'string') return data;
  return `hex:${Buffer.from(data as Buffer).toString('hex')}`;
}
