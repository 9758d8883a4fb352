import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, type Socket as NetSocket, connect } from 'node:net';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { metrics } from '../ops/metrics.js';
import { watchSlowConsumers } from './slow-consumer.js';

const LIMIT = 256 * 1024;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function serve() {
  const http = createServer();
  const server = new Server(http, { perMessageDeflate: false, httpCompression: false });
  const ended: { id: string; unsent: number }[] = [];
  watchSlowConsumers(server.engine, {
    maxBufferedBytes: LIMIT,
    onSlow: (connection, unsent) =>
      ended.push({ id: (connection as unknown as { id: string }).id, unsent }),
  });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  closers.push(() => server.close());
  const { port } = http.address() as AddressInfo;
  return { server, port, url: `http://127.0.0.1:${port}`, ended };
}

async function healthy(url: string) {
  const socket = io(url, { transports: ['websocket'], forceNew: true });
  closers.push(() => socket.disconnect());
  const received: number[] = [];
  socket.on('n', (n: number) => received.push(n));
  await vi.waitUntil(() => socket.connected);
  return received;
}

/** Speaks the protocol by hand, so that the test can stop reading the raw socket. */
async function stuckWebSocket(port: number): Promise<NetSocket> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
  closers.push(() => ws.terminate());
  await once(ws, 'open');
  ws.send('40');
  await vi.waitUntil(async () => String((await once(ws, 'message'))[0]).startsWith('40'));
  const { _socket: raw } = ws as unknown as { _socket: NetSocket };
  raw.pause();
  return raw;
}

async function sendUntil(server: Server, done: () => boolean, bytes: number): Promise<number> {
  const payload = 'x'.repeat(bytes);
  for (let n = 0; ; n++) {
    if (done()) return n;
    server.emit('n', n, payload);
    await new Promise(setImmediate);
  }
}

test('a reader that stops is ended, its memory returns, its neighbour gets everything', async () => {
  const { server, port, url, ended } = await serve();
  const received = await healthy(url);
  await stuckWebSocket(port);
  await vi.waitUntil(() => server.engine.clientsCount === 2);
  const { clients } = server.engine as unknown as {
    clients: Record<string, { transport: { socket: WebSocket } }>;
  };
  const stuck = Object.values(clients)[1]?.transport.socket;
  const before = metrics.closings.value('slow_consumer');
  const sent = await sendUntil(server, () => ended.length > 0, 16 * 1024);

  expect(ended).toHaveLength(1);
  expect(ended[0]?.unsent).toBeGreaterThan(LIMIT);
  expect(ended[0]?.unsent).toBeLessThan(LIMIT + 2 * 16 * 1024);
  expect(metrics.closings.value('slow_consumer')).toBe(before + 1);
  expect(server.engine.clientsCount).toBe(1);
  // Not after the 30 s that `ws` waits for the other side.
  await vi.waitUntil(() => stuck?.readyState === WebSocket.CLOSED, 1000);

  server.emit('n', sent);
  await vi.waitUntil(() => received.at(-1) === sent);
  expect(received).toEqual(Array.from({ length: sent + 1 }, (_, n) => n));
});

test('a burst in one tick is bounded too', async () => {
  const { server, port, ended } = await serve();
  await stuckWebSocket(port);
  const payload = Buffer.alloc(1024 * 1024);
  for (let i = 0; i < 200; i++) server.emit('n', payload);
  await vi.waitUntil(() => ended.length > 0);
  expect(ended[0]?.unsent).toBeLessThan(LIMIT + 2 * payload.length);
  await vi.waitUntil(() => server.engine.clientsCount === 0);
});

test('one packet larger than the limit is no offence', async () => {
  const { server, url, ended } = await serve();
  const received = await healthy(url);
  server.emit('n', 1, 'x'.repeat(4 * LIMIT));
  await vi.waitUntil(() => received.length === 1);
  expect(ended).toEqual([]);
});

test('a poller that stops polling is ended', async () => {
  const { server, url, port, ended } = await serve();
  const path = '/socket.io/?EIO=4&transport=polling';
  const open = await (await fetch(url + path)).text();
  const { sid } = JSON.parse(open.slice(1)) as { sid: string };
  await fetch(`${url}${path}&sid=${sid}`, { method: 'POST', body: '40' });
  await (await fetch(`${url}${path}&sid=${sid}`)).text();
  // One poll is answered, and its answer is never read.
  const raw = connect(port, '127.0.0.1');
  closers.push(() => raw.destroy());
  raw.pause().write(`GET ${path}&sid=${sid} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await sendUntil(server, () => ended.length > 0, 16 * 1024);
  expect(ended[0]?.unsent).toBeLessThan(LIMIT + 2 * 16 * 1024);
  expect(server.engine.clientsCount).toBe(0);
});

test('memory under many stuck readers stays within the limit for each', async () => {
  const { server, port, ended } = await serve();
  const readers = 20;
  for (let i = 0; i < readers; i++) await stuckWebSocket(port);
  const began = process.memoryUsage();
  await sendUntil(server, () => ended.length === readers, 8 * 1024);
  const { heapUsed, arrayBuffers, external } = process.memoryUsage();
  const grown =
    heapUsed + arrayBuffers + external - began.heapUsed - began.arrayBuffers - began.external;
  expect(grown).toBeLessThan(readers * LIMIT * 4);
});
