import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Client, eventually } from '../../test/client.js';
import { TRUSTED, memoryExecutor } from '../../test/executor.js';
import { SECRET } from '../../test/node.js';
import { silent } from '../../test/sessions.js';
import { type Person, tokenOf } from '../../test/tokens.js';
import type { Backplane } from '../backplane/backplane.js';
import { createMemoryBackplane } from '../backplane/memory.js';
import { readConfig } from '../config.js';
import { Inbox } from '../inbox/inbox.js';
import { MemoryInbox } from '../inbox/memory-inbox.js';
import { log } from '../ops/log.js';
import { Presence } from '../presence/presence.js';
import { Revocations } from '../presence/revocations.js';
import { Typing } from '../presence/typing.js';
import { Rooms } from '../rooms/rooms.js';
import { FloodGuard } from './flood-guard.js';
import { Sessions } from './sessions.js';
import type { Connection } from './socket-io-internals.js';
import { TokenVerifier } from './tokens.js';
import { corkFlushes } from './write-together.js';

log.level = 'silent';
const config = readConfig({ STREAMGATE_MODE: 'development', STREAMGATE_JWT_SECRET: SECRET });

let backplane: Backplane;
let url: string;
let closers: (() => unknown)[];

/** The edge of a node without Redis. */
beforeEach(async () => {
  backplane = createMemoryBackplane(config);
  const http = createServer();
  const server = new Server(http, backplane.serverOptions);
  const eventsOut = silent(config);
  const revocations = new Revocations(backplane);
  const typing = new Typing(backplane);
  const flood = new FloodGuard(config);
  const sessions = new Sessions({
    config,
    backplane,
    inbox: new Inbox(config, backplane, new MemoryInbox(config)),
    tokens: new TokenVerifier(config, (principal) => revocations.has(principal)),
    presence: new Presence(config, backplane, eventsOut),
    revocations,
    rooms: new Rooms(config, backplane, eventsOut),
    typing,
    handlers: { '/': new Map() },
    flood,
  });
  server.engine.on('connection', (connection: Connection) => flood.watch(connection));
  corkFlushes(server.engine);
  sessions.install(server.of('/'), server.of('/chat'));
  await backplane.start();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  closers = [
    () => typing.close(),
    () => server.close(),
    () => sessions.close(),
    () => backplane.close(),
  ];
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers) await close();
});

async function come(person: Person): Promise<Client> {
  const auth = { token: await tokenOf(person) };
  const client = new Client(url, { auth, transports: ['websocket'], reconnection: false });
  closers.unshift(() => client.close());
  return client;
}

/** Holds the next call up, after what it does: until it is let go. */
function gate() {
  let arrived = false;
  const { promise, resolve: letGo } = Promise.withResolvers<void>();
  async function pass(): Promise<void> {
    arrived = true;
    await promise;
  }
  return { pass, letGo, waits: () => eventually(() => arrived, Boolean) };
}

/** The two moments at which an opening waits for Redis: it is registered, it is in its rooms. */
const MOMENTS: [string, (pass: () => Promise<void>) => void][] = [
  [
    'registered, and in no room yet',
    (pass) => {
      const { registry } = backplane;
      const connect = registry.connect.bind(registry);
      vi.spyOn(registry, 'connect').mockImplementationOnce(async (...session) => {
        const arrival = await connect(...session);
        await pass();
        return arrival;
      });
    },
  ],
  [
    'in its rooms, and not open yet',
    (pass) => void vi.spyOn(backplane, 'settled').mockImplementationOnce(pass),
  ],
];

test.each(MOMENTS)('a disconnect ends a session that is %s', async (_name, hold) => {
  const { pass, letGo, waits } = gate();
  hold(pass);
  const alice = await come({ id: 'alice' });
  await waits();
  const bob = await come({ id: 'bob' });
  await bob.next('connected');
  const outcome = await memoryExecutor(backplane).execute(
    { action: 'disconnect', users: ['alice'], code: 'moved', reason: 'You moved' },
    TRUSTED,
    true,
  );
  expect(outcome).toMatchObject({ outcome: 'done', sessions: 1 });
  const ended = alice.life('disconnect');
  letGo();
  await alice.next('connected');
  expect(await alice.next('error')).toEqual({
    code: 'moved',
    message: 'You moved',
    retryable: false,
  });
  expect(await ended).toBe('io server disconnect');
  expect(bob.socket.connected).toBe(true);
  // It was for that session: the next one stays.
  const again = await come({ id: 'alice' });
  await again.next('connected');
  expect(await backplane.registry.sessionsOf('/', ['alice', 'bob'])).toBe(2);
});

test('a revocation ends what came with tokens that were issued until then, and nothing else', async () => {
  const iat = Math.floor(Date.now() / 1000);
  const old = await come({ id: 'alice', claims: { iat: iat - 60 } });
  const fresh = await come({ id: 'alice', claims: { iat } });
  for (const client of [old, fresh]) await client.next('connected');
  const ended = old.life('disconnect');
  await backplane.notify({
    namespace: '/',
    to: 'nodes',
    body: {
      kind: 'revoked',
      users: ['alice'],
      issuedUntil: (iat - 30) * 1000,
      until: Date.now() + 60_000,
    },
  });
  expect(await old.next('error')).toMatchObject({ code: 'token_revoked' });
  expect(await ended).toBe('io server disconnect');
  expect(fresh.socket.connected).toBe(true);
});
