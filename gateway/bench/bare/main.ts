import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { decodeJwt } from 'jose';
import { Server } from 'socket.io';
import { userRoom } from '@streamgate/protocol/rooms';

/**
 * What a stream door cannot do without, to measure ours against: a loop of XREADGROUP batches, the same
 * publish, XACK. No validation, no lease, no idempotency, no dead letters, no order after a failure.
 * Environment: `BENCH_REDIS_URL`, `BENCH_STREAM`.
 */
const BATCH = 100;
/** Batches that are being published while the next is read. */
const AHEAD = 4;

// Of the built gateway, beside which this is built.
const { createMailboxBackplane } =
  await built<typeof import('../../src/backplane/mailbox.js')>('mailbox');
const { redisOptions } =
  await built<typeof import('../../src/backplane/redis-options.js')>('redis-options');
const { roomKey } = await built<typeof import('../../src/backplane/room-key.js')>('room-key');

const url = process.env.BENCH_REDIS_URL!;
const stream = process.env.BENCH_STREAM!;
const connect = (purpose: Parameters<typeof redisOptions>[1]) =>
  new Redis(redisOptions(url, purpose));

const backplane = createMailboxBackplane(
  { redisPrefix: 'bare', redisTimeoutMs: 500, recoverySeconds: 120, offlineSeconds: 10 },
  connect,
);
const http = createServer();
const io = new Server(http, { ...backplane.serverOptions, serveClient: false });
io.on('connection', async (socket) => {
  const { sub = '' } = decodeJwt(String(socket.handshake.auth['token']));
  await socket.join(roomKey(userRoom(sub)));
  socket.emit('connected', {});
});
await backplane.start();
http.listen(0, '127.0.0.1');
await once(http, 'listening');
const { port } = http.address() as AddressInfo;
console.log(JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${port}` }));

type Entry = [id: string, fields: string[]];

const redis = new Redis(url);
await redis.xgroup('CREATE', stream, 'bare', '0', 'MKSTREAM');
const reader = redis.duplicate();
const open: Promise<void>[] = [];
let next = read();
for (;;) {
  const entries = await next;
  next = read();
  if (entries.length > 0) open.push(execute(entries));
  if (open.length > AHEAD) await open.shift();
}

async function read(): Promise<Entry[]> {
  const reply = (await reader.xreadgroup(
    ...(['GROUP', 'bare', 'bare', 'COUNT', BATCH, 'BLOCK', 1000, 'STREAMS', stream, '>'] as const),
  )) as [string, Entry[]][] | null;
  return reply?.[0]?.[1] ?? [];
}

async function execute(entries: readonly Entry[]): Promise<void> {
  await Promise.all(
    entries.map(([, fields]) => {
      const field = (name: string) => fields[fields.indexOf(name) + 1]!;
      const args = [JSON.parse(field('data')) as unknown];
      const to = [field('to')];
      return backplane.publish({ namespace: '/', to, event: field('event'), args });
    }),
  );
  await redis.xack(stream, 'bare', ...entries.map(([id]) => id));
}

function built<M>(file: string): Promise<M> {
  return import(new URL(`../../backplane/${file}.js`, import.meta.url).href) as Promise<M>;
}
