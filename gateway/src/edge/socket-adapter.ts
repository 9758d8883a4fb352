import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { Server, type ServerOptions } from 'socket.io';

/** What the edge does with the Socket.IO server as soon as there is one. */
export interface ServerPlan {
  readonly options: Partial<ServerOptions>;
  readonly created: (server: Server) => void;
}

/**
 * Nest's way to the Socket.IO server, without Nest's way to its sockets: sessions are opened and
 * their events run by `Sessions`, so Nest binds nothing to a socket.
 */
export class SocketAdapter extends IoAdapter {
  private readonly plan: ServerPlan;
  private server: Server | undefined;

  constructor(app: INestApplicationContext, plan: ServerPlan) {
    super(app);
    this.plan = plan;
  }

  override createIOServer(): Server {
    if (!this.server) {
      this.server = new Server(this.httpServer as never, this.plan.options);
      this.plan.created(this.server);
    }
    return this.server;
  }

  override bindClientConnect(): void {}
}
