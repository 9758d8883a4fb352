import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Mailbox } from '@streamgate/adapter';
import { Redis } from 'ioredis';
import { Server, type ServerOptions } from 'socket.io';
import { io as connect } from 'socket.io-client';
import { afterAll, afterEach, vi } from 'vitest';
import { startRedis } from '../../gateway/test/redis.ts';

/** One Redis for a file of tests, emptied after each of them. */
export async function shareRedis() {
  const server = await startRedis();
  const redis = new Redis(server.url);
  redis.on('error', () => undefined);
  /** What is done after a test, the last first. */
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
    await redis.flushall();
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  /** An ordinary server over an adapter that is up. Who connects joins `room` and hears `hello`. */
  async function serve(adapter: Mailbox, options: Partial<ServerOptions> = {}) {
    const http = createServer();
    const io = new Server(http, { ...options, adapter: adapter as never });
    io.on('connection', (socket) => {
      void Promise.resolve(socket.join('room')).then(() => socket.emit('hello'));
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    ends.push(() => io.close());
    await vi.waitUntil(() => adapter.health.up, 5000);
    return { io, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
  }

  /** A client that has heard `hello`, the first of what it was said. */
  async function enter(url: string) {
    const options = { transports: ['websocket'], forceNew: true, reconnectionDelay: 10 };
    const socket = connect(url, options);
    const said: unknown[][] = [];
    socket.onAny((...args) => said.push(args));
    ends.push(() => socket.disconnect());
    await vi.waitUntil(() => said.length === 1);
    return { socket, said };
  }

  return { server, redis, ends, serve, enter };
}
