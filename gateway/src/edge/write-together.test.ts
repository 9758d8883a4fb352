import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import { Server, type Socket as ServerSocket } from 'socket.io';
import { io } from 'socket.io-client';
import { afterEach, expect, test, vi } from 'vitest';
import { connectionOf } from './socket-io-internals.js';
import { corkFlushes, writeThisTurn, writeTogether } from './write-together.js';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function connected(transport: 'polling' | 'websocket') {
  const http = createServer();
  const server = new Server(http);
  corkFlushes(server.engine);
  closers.push(() => server.close());
  await once(http.listen(0, '127.0.0.1'), 'listening');
  const { port } = http.address() as AddressInfo;
  const client = io(`http://127.0.0.1:${port}`, { transports: [transport], forceNew: true });
  closers.push(() => client.disconnect());
  const heard: unknown[] = [];
  client.on('n', (n) => heard.push(n));
  const [session] = (await once(server, 'connection')) as [ServerSocket];
  await vi.waitUntil(() => client.connected && connectionOf(session.client).transport.writable);
  return { client, session, heard };
}

/** Counts the writes to the session's TCP socket. */
function countWrites(session: ServerSocket): () => number {
  const raw = connectionOf(session.client).transport.socket?._socket;
  const writev = vi.spyOn(raw as Writable, '_writev');
  const write = vi.spyOn(raw as Writable, '_write');
  return () => writev.mock.calls.length + write.mock.calls.length;
}

test.each(['polling', 'websocket'] as const)('all arrives in order over %s', async (transport) => {
  const { session, heard } = await connected(transport);
  writeTogether(session.client, () => {
    for (let n = 0; n < 5; n++) session.emit('n', n);
  });
  session.emit('n', 5);
  writeTogether(session.client, () => session.emit('n', 6));
  await vi.waitUntil(() => heard.length === 7);
  expect(heard).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test('what is written together is one write', async () => {
  const { session, heard } = await connected('websocket');
  const writes = countWrites(session);
  writeTogether(session.client, () => {
    for (let n = 0; n < 5; n++) session.emit('n', n);
  });
  await vi.waitUntil(() => heard.length === 5);
  expect(writes()).toBe(1);
});

test.each(['polling', 'websocket'] as const)(
  'what is written in one turn goes together, in order, over %s',
  async (transport) => {
    const { session, heard } = await connected(transport);
    const writes = transport === 'websocket' ? countWrites(session) : undefined;
    writeThisTurn(session.client, () => session.emit('n', 0));
    session.emit('n', 1);
    await Promise.resolve();
    writeThisTurn(session.client, () => session.emit('n', 2));
    process.nextTick(() => session.emit('n', 3));
    await vi.waitUntil(() => heard.length === 4);
    expect(heard).toEqual([0, 1, 2, 3]);
    // The last came after the turn.
    if (writes) expect(writes()).toBe(2);
  },
);

test('who is closed in the same turn gets what was written before', async () => {
  const { client, session, heard } = await connected('websocket');
  writeThisTurn(session.client, () => session.emit('n', 0));
  session.disconnect(true);
  await vi.waitUntil(() => !client.connected);
  expect(heard).toEqual([0]);
});

test('what piled up during a write is one more', async () => {
  const { session, heard } = await connected('websocket');
  const writes = countWrites(session);
  for (let n = 0; n < 5; n++) session.emit('n', n);
  await vi.waitUntil(() => heard.length === 5);
  expect(writes()).toBe(2);
});

test('a fault while writing lets what was written go, and later events too', async () => {
  const { session, heard } = await connected('websocket');
  expect(() =>
    writeTogether(session.client, () => {
      session.emit('n', 0);
      session.emit('n', 1n);
    }),
  ).toThrow(TypeError);
  session.emit('n', 2);
  await vi.waitUntil(() => heard.length === 2);
  expect(heard).toEqual([0, 2]);
});

test('a client that is gone is no fault', async () => {
  const { client, session } = await connected('websocket');
  client.disconnect();
  await vi.waitUntil(() => !session.connected);
  writeTogether(session.client, () => session.emit('n', 0));
});
