import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import type { Server, ServerOptions } from 'socket.io';

/** Nest's documented way to several nodes, with the adapter that our `streams` backplane uses. */
export class RedisIoAdapter extends IoAdapter {
  private readonly adapter: ReturnType<typeof createAdapter>;

  constructor(app: INestApplicationContext, url: string) {
    super(app);
    this.adapter = createAdapter(new Redis(url), {});
  }

  override createIOServer(port: number, options?: ServerOptions): Server {
    return super.createIOServer(port, {
      ...options,
      adapter: this.adapter,
      ...(process.env.BENCH_RECOVERY === '1' ? { connectionStateRecovery: {} } : {}),
    } as ServerOptions);
  }
}
