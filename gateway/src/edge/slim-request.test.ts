import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Server, type Socket as ServerSocket } from 'socket.io';
import { io, Manager } from 'socket.io-client';
import { afterEach, expect, test, vi } from 'vitest';
import { slimRequests } from './slim-request.js';

// Version 2 has no types; what the test uses of it is the same.
const io2 = createRequire(import.meta.url)('socket.io-client-2') as typeof io;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function serve() {
  const http = createServer();
  const server = new Server(http, { allowEIO3: true });
  slimRequests(server.engine);
  const sessions: ServerSocket[] = [];
  for (const name of ['/', '/chat'])
    server.of(name).on('connection', (session) => {
      sessions.push(session);
      session.on('echo', (value: unknown, ack: (value: unknown) => void) => ack(value));
    });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  closers.push(() => server.close());
  return { sessions, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` };
}

const extraHeaders = { authorization: 'Bearer t', 'x-large': 'x'.repeat(1000) };

test.each([[['websocket']], [['polling']], [['polling', 'websocket']]])(
  'namespaces connect later and events go both ways over %s',
  async (transports) => {
    const { sessions, url } = await serve();
    const manager = new Manager(url, { transports, extraHeaders, query: { token: 'q' } });
    const root = manager.socket('/');
    closers.push(() => root.disconnect());
    expect(await root.emitWithAck('echo', 1)).toBe(1);
    await vi.waitUntil(() => manager.engine.transport.name === transports.at(-1));
    const chat = manager.socket('/chat', { auth: { token: 'a' } });
    expect(await chat.emitWithAck('echo', 'x'.repeat(50_000))).toHaveLength(50_000);
    expect(await root.emitWithAck('echo', 2)).toBe(2);

    expect(sessions).toHaveLength(2);
    for (const { handshake, request } of sessions) {
      expect(handshake.headers).toEqual({ authorization: 'Bearer t' });
      expect(handshake.query).toMatchObject({ token: 'q', EIO: '4' });
      expect(handshake.address).toBe('127.0.0.1');
      expect(handshake.secure).toBe(false);
      expect(request.socket.remoteAddress).toBe('127.0.0.1');
    }
    expect(sessions[1]?.handshake.auth).toEqual({ token: 'a' });
  },
);

test('version 2 clients connect too', async () => {
  const { sessions, url } = await serve();
  const socket = io2(url, { transports: ['websocket'], query: { token: 'q' }, forceNew: true });
  closers.push(() => socket.disconnect());
  await vi.waitUntil(() => socket.connected);
  expect(sessions[0]?.handshake.query).toMatchObject({ token: 'q', EIO: '3' });
});

test('a client that closes and comes back is served again', async () => {
  const { sessions, url } = await serve();
  const socket = io(url, { transports: ['polling'], forceNew: true, reconnectionDelay: 10 });
  closers.push(() => socket.disconnect());
  await vi.waitUntil(() => socket.connected);
  sessions[0]?.conn.close();
  await vi.waitUntil(() => sessions.length === 2);
  expect(await socket.emitWithAck('echo', 1)).toBe(1);
});
