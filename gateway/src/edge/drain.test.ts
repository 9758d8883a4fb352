import { once } from 'node:events';
import { createServer } from 'node:http';
import {
  type AddressInfo,
  type Socket as NetSocket,
  connect,
  createServer as createTcp,
} from 'node:net';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { installAdmission } from './admission.js';
import { Drain } from './drain.js';
import type { Connection } from './socket-io-internals.js';

log.level = 'silent';
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function node(drainSeconds = 60, notice?: (withinMs: number) => void) {
  const http = createServer();
  const server = new Server(http);
  const { engine } = server;
  const connections = {
    all: () =>
      Object.values((engine as unknown as { clients: Record<string, Connection> }).clients),
    count: () => engine.clientsCount,
  };
  const drain = new Drain({ drainSeconds }, connections, notice);
  installAdmission(engine, {
    config: {
      maxSessions: 1000,
      maxSessionsPerAddress: 1000,
      connectsPerSecond: 1000,
      corsOrigins: [],
    },
    draining: () => drain.draining,
    addressOf: () => '',
  });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  closers.push(() => server.close());
  closers.push(() => drain.abort());
  const { port } = http.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}`, server, drain, count: connections.count };
}

/** A balancer of connections: new ones go to the node that is ready. */
async function balancer(portNow: () => number) {
  const open = new Set<NetSocket>();
  const tcp = createTcp((client) => {
    const upstream = connect(portNow(), '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
    }
  });
  await once(tcp.listen(0, '127.0.0.1'), 'listening');
  closers.push(() => {
    for (const socket of open) socket.destroy();
    tcp.close();
  });
  return `http://127.0.0.1:${(tcp.address() as AddressInfo).port}`;
}

async function clients(url: string, count: number, transport: 'websocket' | 'polling') {
  const sockets: Socket[] = Array.from({ length: count }, () =>
    io(url, {
      transports: [transport],
      reconnectionDelay: 20,
      reconnectionDelayMax: 50,
      forceNew: true,
    }),
  );
  closers.push(() => sockets.forEach((socket) => socket.disconnect()));
  await vi.waitUntil(() => sockets.every(({ connected }) => connected), 5000);
  return sockets;
}

test.each(['websocket', 'polling'] as const)(
  'moves every session to the other node at an even pace (%s)',
  async (transport) => {
    const notices: number[] = [];
    const old = await node(2, (withinMs) => notices.push(withinMs));
    const fresh = await node();
    const url = await balancer(() => (old.drain.draining ? fresh.port : old.port));
    const sockets = await clients(url, 40, transport);
    expect(old.count()).toBe(40);
    const before = metrics.closings.value('drain');

    const began = performance.now();
    expect(old.drain.start()).toEqual({
      state: 'draining',
      remaining: 40,
      rate: 20,
      etaSeconds: 2,
    });
    expect(notices).toEqual([2000]);
    await vi.waitUntil(() => performance.now() - began > 1000, { timeout: 3000, interval: 5 });
    const { remaining, rate, etaSeconds } = old.drain.status();
    // Exact evenness is tested without a clock, in pacing.test.ts.
    expect(Math.abs(remaining - 20)).toBeLessThanOrEqual(10);
    expect(Math.abs(rate - 20)).toBeLessThanOrEqual(5);
    expect(etaSeconds).toBe(1);
    await old.drain.whenDrained();
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(1600);
    expect(took).toBeLessThan(4500);

    await vi.waitUntil(() => fresh.count() === 40, 5000);
    await vi.waitUntil(() => sockets.every(({ connected }) => connected), 5000);
    expect(metrics.closings.value('drain')).toBe(before + 40);
    expect(old.drain.status()).toEqual({
      state: 'drained',
      remaining: 0,
      rate: 0,
      etaSeconds: 0,
    });
  },
);

test('ends at once when nobody is left', async () => {
  const { drain, url } = await node();
  const sockets = await clients(url, 2, 'websocket');
  drain.start();
  for (const socket of sockets) socket.disconnect();
  await drain.whenDrained();
  expect(drain.status().state).toBe('drained');
});

test('an empty node is drained at once, also without time', async () => {
  const { drain, url } = await node();
  expect(drain.start().state).toBe('drained');
  await drain.whenDrained();
  drain.abort();
  await clients(url, 3, 'websocket');
  drain.start({ seconds: 0 });
  await drain.whenDrained();
});

test('can be aborted, and the node serves again', async () => {
  const { drain, url, count } = await node();
  await clients(url, 10, 'websocket');
  drain.start({ seconds: 600 });
  expect(drain.draining).toBe(true);
  expect(drain.abort()).toEqual({ state: 'serving', remaining: 10, rate: 0, etaSeconds: 0 });
  expect(drain.draining).toBe(false);
  await clients(url, 1, 'websocket');
  expect(count()).toBe(11);
});

test('cannot be aborted once the process is ending', async () => {
  const { drain, url } = await node();
  await clients(url, 5, 'websocket');
  drain.leave({ seconds: 600 });
  expect(drain.abort().state).toBe('draining');
  expect(drain.draining).toBe(true);
  drain.hurry();
  await drain.whenDrained();
});

/** A client that does not read, with unsent bytes waiting for it on the node. */
async function stuck({ server, port }: Awaited<ReturnType<typeof node>>): Promise<Connection> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
  closers.push(() => ws.terminate());
  await once(ws, 'open');
  ws.send('40');
  await vi.waitUntil(() => server.sockets.sockets.size === 1);
  (ws as unknown as { _socket: NetSocket })._socket.pause();
  const [socket] = server.sockets.sockets.values();
  const connection = socket?.conn as unknown as Connection;
  // More than the kernel takes: the rest stays in `ws`, where Engine.IO does not see it.
  socket?.emit('x', Buffer.alloc(32 * 1024 * 1024));
  await vi.waitUntil(() => (connection.transport.socket?.bufferedAmount ?? 0) > 1024 * 1024);
  return connection;
}

test('a second signal hurries, and does not wait for who does not read', async () => {
  const at = await node();
  const connection = await stuck(at);
  // Waits in Engine.IO, which for its sake would not close.
  at.server.emit('x', 'more');
  at.drain.start();
  const began = performance.now();
  at.drain.hurry();
  await at.drain.whenDrained();
  expect(performance.now() - began).toBeLessThan(1500);
  await vi.waitUntil(() => connection.transport.socket?.readyState === WebSocket.CLOSED);
});

test('who does not read is closed by force after two seconds', async () => {
  const at = await node();
  const connection = await stuck(at);
  at.drain.start({ seconds: 0 });
  await at.drain.whenDrained();
  await vi.waitUntil(() => connection.transport.socket?.readyState === WebSocket.CLOSED, 4000);
});

test('a poller that does not poll is closed by force after two seconds', async () => {
  const { drain, url, count } = await node();
  await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
  expect(count()).toBe(1);
  const began = performance.now();
  drain.start({ seconds: 0 });
  await drain.whenDrained();
  expect(performance.now() - began).toBeLessThan(4000);
});

test('sheds a share while others are admitted', async () => {
  const { drain, url, count } = await node();
  const sockets = await clients(url, 20, 'websocket');
  const before = metrics.closings.value('shed');
  expect(drain.shed({ percent: 25, seconds: 1 })).toEqual({ sessions: 5, rate: 5, etaSeconds: 1 });
  expect(drain.draining).toBe(false);
  await vi.waitUntil(() => metrics.closings.value('shed') === before + 5, 3000);
  await vi.waitUntil(() => count() === 20, 3000);
  await vi.waitUntil(() => sockets.every(({ connected }) => connected), 3000);
  expect(drain.shed({ sessions: 99, seconds: 0 }).sessions).toBe(20);
  await vi.waitUntil(() => metrics.closings.value('shed') === before + 25);
});

test('a drain replaces shedding', async () => {
  const { drain, url } = await node();
  await clients(url, 4, 'websocket');
  drain.shed({ sessions: 4, seconds: 600 });
  drain.start({ seconds: 1 });
  expect(drain.shed({ sessions: 4, seconds: 1 }).sessions).toBe(0);
  await drain.whenDrained();
});
