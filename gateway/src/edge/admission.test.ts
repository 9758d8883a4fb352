import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ErrorCode } from '@streamgate/protocol/errors';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { type Handshake, decideAdmission, installAdmission } from './admission.js';
import { clientAddresses } from './address.js';
import { setServerTimeouts } from './server-timeouts.js';

log.level = 'silent';

const limits = {
  maxSessions: 10,
  maxSessionsPerAddress: 10,
  connectsPerSecond: 100,
  corsOrigins: ['https://a.example'],
};
const calm: Handshake = {
  draining: false,
  origin: undefined,
  connections: 0,
  fromAddress: 0,
  rateWaitMs: 0,
};

describe('the first check that refuses decides', () => {
  const cases: [Partial<Handshake>, ErrorCode | undefined][] = [
    [{}, undefined],
    [{ origin: 'https://a.example', connections: 9, fromAddress: 9 }, undefined],
    [{ fromAddress: 10 }, 'address_limit'],
    [{ fromAddress: 10, rateWaitMs: 1 }, 'handshake_rate'],
    [{ connections: 10, rateWaitMs: 1 }, 'node_full'],
    [{ connections: 10, origin: 'https://b.example' }, 'origin_not_allowed'],
    [{ draining: true, origin: 'https://b.example' }, 'draining'],
  ];
  test.each(cases)('%j: %s', (handshake, code) => {
    expect(decideAdmission({ ...calm, ...handshake }, limits)).toBe(code);
  });
});

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function serve(changes: Partial<typeof limits> = {}) {
  const http = createServer();
  setServerTimeouts(http);
  const server = new Server(http, { cors: { origin: limits.corsOrigins } });
  const gate = { draining: false, config: { ...limits, ...changes } };
  installAdmission(server.engine, {
    config: gate.config,
    draining: () => gate.draining,
    addressOf: clientAddresses(['loopback']),
  });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  closers.push(() => server.close());
  const { port } = http.address() as AddressInfo;
  return { gate, server, port, url: `http://127.0.0.1:${port}` };
}

function client(url: string, transport: 'websocket' | 'polling', address = '1.2.3.4'): Socket {
  const socket = io(url, {
    transports: [transport],
    reconnectionDelay: 20,
    reconnectionDelayMax: 50,
    forceNew: true,
    extraHeaders: { 'x-forwarded-for': address },
  });
  closers.push(() => socket.disconnect());
  return socket;
}

const connected = (socket: Socket) => vi.waitUntil(() => socket.connected, 5000);

describe.each(['websocket', 'polling'] as const)('a stock client over %s', (transport) => {
  async function refusedThenBack(
    code: ErrorCode,
    changes: Partial<typeof limits>,
    refuse: (at: Awaited<ReturnType<typeof serve>>) => unknown,
    relent: (at: Awaited<ReturnType<typeof serve>>) => unknown,
  ) {
    const at = await serve(changes);
    await refuse(at);
    const before = metrics.connects.value(code);
    const socket = client(at.url, transport);
    await vi.waitUntil(() => metrics.connects.value(code) >= before + 2, 5000);
    expect(socket.connected).toBe(false);
    await relent(at);
    await connected(socket);
  }
  const holder = async ({ url }: { url: string }) => {
    const held = client(url, transport);
    await connected(held);
    return held;
  };

  test('comes back by itself after a drain', () =>
    refusedThenBack(
      'draining',
      {},
      ({ gate }) => (gate.draining = true),
      ({ gate }) => (gate.draining = false),
    ));

  test('comes back by itself when the node was full', async () => {
    let held: Socket | undefined;
    await refusedThenBack(
      'node_full',
      { maxSessions: 1 },
      async (at) => (held = await holder(at)),
      () => held?.disconnect(),
    );
  });

  test('comes back by itself when its address had too many', async () => {
    let held: Socket | undefined;
    await refusedThenBack(
      'address_limit',
      { maxSessionsPerAddress: 1 },
      async (at) => {
        held = await holder(at);
        await connected(client(at.url, transport, '5.6.7.8'));
      },
      () => held?.disconnect(),
    );
  });

  test('comes back by itself when too many came at once', () =>
    refusedThenBack('handshake_rate', { connectsPerSecond: 1 }, holder, () => undefined));
});

test('an avalanche is admitted at the rate, and all get in', async () => {
  const { url } = await serve({
    connectsPerSecond: 30,
    maxSessions: 1000,
    maxSessionsPerAddress: 99,
  });
  const began = performance.now();
  const sockets = Array.from({ length: 60 }, () => client(url, 'websocket'));
  await vi.waitUntil(() => sockets.every(({ connected: open }) => open), 10_000);
  // 30 at once, then 30 a second.
  expect(performance.now() - began).toBeGreaterThan(900);
});

test('a connection that upgrades keeps its place in the counts until it ends', async () => {
  const { url, server } = await serve({ maxSessionsPerAddress: 1 });
  const socket = io(url, { transports: ['polling', 'websocket'], forceNew: true });
  closers.push(() => socket.disconnect());
  await vi.waitUntil(() => socket.io.engine?.transport.name === 'websocket', 5000);
  expect((await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).status).toBe(503);
  socket.disconnect();
  await vi.waitUntil(() => server.engine.clientsCount === 0);
  expect((await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).status).toBe(200);
});

describe('the answer', () => {
  test('of a refused poll is a problem document', async () => {
    const { url, gate } = await serve();
    gate.draining = true;
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(response.headers.get('retry-after'))).toBeLessThanOrEqual(5);
    expect(await response.json()).toMatchObject({ status: 503, code: 'draining', retryable: true });
  });

  async function upgrade(port: number, origin: string): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    closers.push(() => socket.destroy());
    socket.write(
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n' +
        'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: ${origin}\r\n\r\n`,
    );
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await vi.waitUntil(() => socket.closed || text.startsWith('HTTP/1.1 101'));
    return text;
  }

  test('of an upgrade from a foreign origin is 403, and no retry is proposed', async () => {
    const { port } = await serve();
    const answer = await upgrade(port, 'https://b.example');
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(answer).not.toContain('Retry-After');
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      code: 'origin_not_allowed',
    });
    expect(await upgrade(port, 'https://a.example')).toMatch(/^HTTP\/1\.1 101/);
  });
});
