import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CommandFields } from '@streamgate/protocol/command-fields';
import { type Client, eventually } from '../../client.js';
import { ALICE, BOB, type Cluster } from '../../cluster.js';
import { tokenOf } from '../../tokens.js';
import type { ServiceDoor } from './doors.js';

/** How the nodes have to be set up for the cases. */
export const DOOR_ENV = {
  STREAMGATE_COMMAND_MAX_BYTES: String(16 * 1024),
  // What services send to sessions of chat does not need the database of chat: this one is away.
  STREAMGATE_DATABASE_URL: 'postgres://nobody:none@127.0.0.1:1/none',
};

const MAX_BYTES = Number(DOOR_ENV.STREAMGATE_COMMAND_MAX_BYTES);

/** Values that a careless way through JSON, msgpack or Lua would change. */
const EXACT: [string, unknown][] = [
  ['no argument', undefined],
  ['null', null],
  ['false', false],
  ['0', 0],
  ['a large number', 1e21],
  ['a small number', -0.1],
  ['an id beyond 2^53', '9007199254740993'],
  ['an empty text', ''],
  ['a text like an offset', '1-0'],
  ['text', 'Đà Nẵng "\u0000\n 😀'],
  ['empty ones', [{}, []]],
  ['deep', { a: [{ b: { c: [1, null, { d: 'x' }] } }], constructor: 1 }],
];

const REFUSED: [string, CommandFields & Record<string, unknown>][] = [
  ['unknown_field', { to: 'user:alice', event: 'x', colour: 'red' }],
  ['unknown_field', { action: 'disconnect', to: 'user:alice', data: { revok: 60 } }],
  ['unknown_action', { action: 'fly', to: 'user:alice' }],
  ['unknown_namespace', { nsp: '/other', to: 'user:alice', event: 'x' }],
  ['reserved_event', { to: 'user:alice', event: 'disconnecting' }],
  ['invalid_payload', { to: 'user:alice' }],
  ['invalid_payload', { to: 'user:alice', event: 'x'.repeat(201) }],
  ['invalid_payload', { to: 'user:alice', event: 'x', data: nested(101) }],
  ['invalid_payload', { to: 'user:alice', event: 'join:room', data: {} }],
  ['invalid_to', { to: 'a\nb', event: 'x' }],
  ['invalid_to', { to: [], event: 'x' }],
  ['invalid_to', { action: 'join', to: 'quiz:1', data: { room: 'a' } }],
  ['invalid_ttl', { to: 'user:alice', event: 'x', ttl: 0 }],
  ['invalid_ttl', { to: 'user:alice', event: 'x', ttl: 'soon' }],
  ['invalid_receipt', { to: 'user:alice', event: 'x', receipt: 'streamgate:emit' }],
  ['durable_needs_users', { to: 'role:student', event: 'x', durable: true }],
  ['durable_needs_users', { to: '*', event: 'x', durable: true }],
  ['room_forbidden', { to: 'user:alice', event: 'join:room', data: { room: 'role:admin' } }],
  ['room_forbidden', { action: 'leave', to: 'user:alice', data: { room: 'user:alice' } }],
  ['payload_too_large', { to: 'user:alice', event: 'x', data: 'x'.repeat(MAX_BYTES) }],
];

/** The same cases through every door, the client on another node than the service where there is one. */
export function doorCases(
  name: string,
  cluster: Cluster,
  open: (cluster: Cluster) => Promise<ServiceDoor>,
): void {
  describe(`through ${name}`, () => {
    let door: ServiceDoor;
    beforeAll(async () => {
      door = await open(cluster);
    });
    afterAll(() => door.close());

    /** A marker behind all that was emitted; what came of an event before it. */
    async function heard(client: Client, to: string, event: string): Promise<unknown[]> {
      await door.emit({ to, event: 'end' });
      await client.next('end');
      return client.all(event);
    }

    test('to a user: all sessions on all nodes, and nobody else', async () => {
      const one = await cluster.connect(ALICE, 'one');
      const two = await cluster.connect(ALICE, 'two');
      const other = await cluster.connect(BOB, 'two');
      const told = await door.emit({ to: 'user:alice', event: 'quiz:created', data: { n: 7 } });
      expect(told).toEqual({ outcome: 'done', sessions: 2, inboxed: 0 });
      expect(await one.next('quiz:created')).toEqual({ n: 7 });
      expect(await two.next('quiz:created')).toEqual({ n: 7 });
      expect(await heard(other, 'user:bob', 'quiz:created')).toEqual([]);
    });

    test('to sessions on /chat, and only there', async () => {
      const auth = { token: await tokenOf(ALICE) };
      const chatting = cluster.client('two', { auth }, '/chat');
      await chatting.next('connected');
      const client = await cluster.connect(ALICE, 'two');
      const message = { id: 1, conversation_id: 1, content: 'Hello!' };
      const fields = { to: 'user:alice', event: 'receive-message', data: message };
      expect(await door.emit({ nsp: '/chat', ...fields })).toMatchObject({ outcome: 'done' });
      expect(await chatting.next('receive-message')).toEqual(message);
      expect(await heard(client, 'user:alice', 'receive-message')).toEqual([]);
    });

    test('to several users, a role, everyone: one copy each', async () => {
      const client = await cluster.connect(ALICE, 'two');
      const other = await cluster.connect(BOB, 'two');
      await door.emit({ to: ['user:alice', 'user:bob'], event: 'n', data: 1 });
      await door.emit({ to: 'role:student', event: 'n', data: 2 });
      expect(await door.emit({ to: '*', event: 'n', data: 3 })).toEqual({
        outcome: 'done',
        inboxed: 0,
      });
      const several = { to: ['role:student', 'user:alice', 'user:bob'], event: 'n', data: 4 };
      if (door.speaks(several)) await door.emit(several);
      const all = door.speaks(several) ? [1, 2, 3, 4] : [1, 2, 3];
      expect(await heard(client, 'user:alice', 'n')).toEqual(all);
      expect(await heard(other, 'user:bob', 'n')).toEqual(all);
    });

    test('but to those in except', async () => {
      const client = await cluster.connect(ALICE, 'two');
      const other = await cluster.connect(BOB, 'two');
      await door.emit({ to: '*', except: 'user:alice', event: 'n', data: 1 });
      await door.emit({ to: '*', except: ['user:bob', 'nobody'], event: 'n', data: 2 });
      expect(await heard(client, 'user:alice', 'n')).toEqual([2]);
      expect(await heard(other, 'user:bob', 'n')).toEqual([1]);
    });

    test.each(EXACT)('what arrives equals what was sent: %s', async (_name, data) => {
      const client = await cluster.connect(ALICE, 'two');
      const fields = { to: 'user:alice', event: 'exact' };
      await door.emit(data === undefined ? fields : { ...fields, data });
      const args = await client.nextArgs('exact');
      expect(args[0]).toEqual(data === undefined ? withoutOffset(args) : data);
    });

    test('join:room, then the room, in the order of the service', async () => {
      const client = await cluster.connect(ALICE, 'two');
      const room = `quiz:${name}`;
      const told = await door.emitAll([
        { to: 'user:alice', event: 'join:room', data: { room } },
        { to: room, event: 'user:joined', data: { userId: 'alice' } },
      ]);
      expect(told).toMatchObject([{ outcome: 'done' }, { outcome: 'done' }]);
      expect(await client.next('join:room')).toEqual({ room });
      expect(await client.next('user:joined')).toEqual({ userId: 'alice' });
      await door.emit({ to: 'user:alice', event: 'leave:room', data: { room } });
      await door.emit({ to: room, event: 'n', data: 1 });
      expect(await heard(client, 'user:alice', 'n')).toEqual([]);
    });

    test('one key is executed in the order written', async () => {
      const client = await cluster.connect(ALICE, 'two');
      const numbers = Array.from({ length: 300 }, (_, n) => n);
      const told = await door.emitAll(
        numbers.map((n) => ({ to: 'user:alice', event: 'n', data: n, key: 'k' })),
      );
      expect(told.map(({ outcome }) => outcome)).toEqual(numbers.map(() => 'done'));
      expect(await heard(client, 'user:alice', 'n')).toEqual(numbers);
    });

    test('an id is executed once for its source', async () => {
      const client = await cluster.connect(ALICE, 'two');
      const id = `once-${name}`;
      const fields = { to: 'user:alice', event: 'n', source: 'quiz', id };
      expect(await door.emit({ ...fields, data: 1 })).toMatchObject({ outcome: 'done' });
      expect(await door.emit({ ...fields, data: 1 })).toEqual({ outcome: 'duplicate', inboxed: 0 });
      expect(await door.emit({ ...fields, data: 2 })).toMatchObject({
        code: 'idempotency_conflict',
      });
      const told = await door.emitAll([
        { ...fields, source: 'other', data: 3 },
        { ...fields, source: 'other', data: 3 },
      ]);
      expect(told.map(({ outcome }) => outcome)).toEqual(['done', 'duplicate']);
      expect(await heard(client, 'user:alice', 'n')).toEqual([1, 3]);
    });

    test('durable: kept for the user who is away', async () => {
      const who = { id: `away-${name}` };
      const told = await door.emit({ to: `user:${who.id}`, event: 'n', data: 1, durable: true });
      expect(told).toEqual({ outcome: 'done', sessions: 0, inboxed: 1 });
      const client = await cluster.connect(who, 'two');
      expect(await client.next('n')).toBe(1);
    });

    test('volatile reaches a session that is ready', async () => {
      const client = await cluster.connect(ALICE, 'two');
      // One that is still sending may miss it.
      const volatile = { to: 'user:alice', event: 'n', data: 1, volatile: true };
      await eventually(async () => (await door.emit(volatile)) && client.has('n'), Boolean);
      expect(await client.next('n')).toBe(1);
    });

    test('ttl is no hindrance in time', async () => {
      const client = await cluster.connect(ALICE, 'two');
      await door.emit({ to: 'user:alice', event: 'n', data: 2, ttl: 60 });
      expect(await client.next('n')).toBe(2);
    });

    test('join and leave, for further devices too', async ({ skip }) => {
      const room = `class:${name}`;
      const join = { action: 'join', to: 'user:alice', data: { room } };
      if (!door.speaks(join)) skip();
      const client = await cluster.connect(ALICE, 'two');
      expect(await door.emit(join)).toMatchObject({ outcome: 'done', sessions: 1 });
      const second = await cluster.connect(ALICE, 'one');
      await door.emit({ to: room, event: 'n', data: 1 });
      expect(await heard(client, room, 'n')).toEqual([1]);
      expect(await heard(second, room, 'n')).toEqual([1]);
      await door.emit({ ...join, action: 'leave' });
      await door.emit({ to: room, event: 'n', data: 2 });
      expect(await heard(client, 'user:alice', 'n')).toEqual([1]);
    });

    test('disconnect: the client is told why and stays away', async ({ skip }) => {
      const data = { code: 'moved', reason: 'You signed in elsewhere' };
      const disconnect = { action: 'disconnect', to: 'user:alice', data };
      if (!door.speaks(disconnect)) skip();
      const clients = [await cluster.connect(ALICE, 'one'), await cluster.connect(ALICE, 'two')];
      const other = await cluster.connect(BOB, 'two');
      const ended = clients.map((client) => client.life('disconnect'));
      expect(await door.emit(disconnect)).toEqual({ outcome: 'done', sessions: 2, inboxed: 0 });
      for (const [index, client] of clients.entries()) {
        expect(await client.next('error')).toEqual({
          code: 'moved',
          message: data.reason,
          retryable: false,
        });
        expect(await ended[index]).toBe('io server disconnect');
        expect(client.socket.active).toBe(false);
      }
      expect(await heard(other, 'user:bob', 'error')).toEqual([]);
      // Nothing was revoked.
      await cluster.connect(ALICE, 'two');
    });

    test('disconnect with revoke: the token is refused on every node', async ({ skip }) => {
      const issued = Math.floor(Date.now() / 1000);
      const who = { id: `revoked-${name}`, roles: ['service'], claims: { iat: issued } };
      const disconnect = { action: 'disconnect', to: `user:${who.id}`, data: { revoke: 60 } };
      if (!door.speaks(disconnect)) skip();
      const token = await tokenOf(who);
      const client = await cluster.connect(who, 'two');
      const ended = client.life('disconnect');
      await door.emit(disconnect);
      expect(await client.next('error')).toMatchObject({ code: 'disconnected', retryable: false });
      await ended;
      for (const where of ['one', 'two'] as const) {
        const again = cluster.client(where, { auth: { token } });
        expect(await again.life('connect_error')).toMatchObject({
          data: { code: 'token_revoked', retryable: false },
        });
      }
      expect((await cluster.rest('GET /v1/users/x', undefined, who)).body).toMatchObject({
        code: 'token_revoked',
      });
      const later = { ...who, claims: { iat: issued + 60 } };
      await cluster.connect(later, 'two');
    });

    test.for(REFUSED)('refused: %s %#', async ([code, fields], { skip }) => {
      if (!door.speaks(fields)) skip();
      expect(await door.emit(fields)).toMatchObject({ code });
    });
  });
}

function nested(levels: number): unknown {
  return JSON.parse('['.repeat(levels) + ']'.repeat(levels));
}

/** On backplanes that recover, an event's offset is its last argument. */
function withoutOffset(args: readonly unknown[]): unknown {
  return args.length === 1 ? args[0] : undefined;
}
