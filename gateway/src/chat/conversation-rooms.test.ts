import { beforeEach, expect, test, vi } from 'vitest';
import { GatewayError } from '@streamgate/protocol/errors';
import { conversationRoom } from '@streamgate/protocol/rooms';
import { principalOf } from '../../test/sessions.js';
import type { Backplane, BackplaneHealth } from '../backplane/backplane.js';
import type { Session } from '../backplane/session.js';
import type { Attendee } from '../inbox/attendee.js';
import { ConversationRooms } from './conversation-rooms.js';
import { Delivery } from './delivery.js';
import type { Membership } from './store/chat-store.js';
import { Turns } from './turns.js';
import { Untold } from './untold.js';

/** A session and its rooms, as the fakes below move it about. */
class FakeSession {
  readonly connected = true;
  readonly rooms = new Set<string>();
  readonly got: string[] = [];
  readonly principal;

  constructor(readonly id: string) {
    this.principal = principalOf({ id: id[0]! });
  }

  isIn = (room: string) => this.rooms.has(room);
  roomNames = () => [...this.rooms];
  send = (event: string) => this.got.push(event);
}

const room = conversationRoom(1);
let members: Set<string>;
let sessions: FakeSession[];
let joining: (() => void) | undefined;
let away: boolean;
/** Conversations whose members the store was asked for. */
let asked: number[];
let tellHealth: (health: BackplaneHealth) => void;
let rooms: ConversationRooms;

/** A backplane of one node, which can be away, and whose joins can be slow. */
function fakeBackplane(): Backplane {
  return {
    onNotice() {},
    onHealthChange: (listener: typeof tellHealth) => (tellHealth = listener),
    hasLocal: () => false,
    async join(session: Session, names: readonly string[]) {
      await Promise.resolve();
      joining?.();
      for (const name of names) (session as unknown as FakeSession).rooms.add(name);
    },
    async leave(session: Session, names: readonly string[]) {
      await Promise.resolve();
      for (const name of names) (session as unknown as FakeSession).rooms.delete(name);
    },
    async relocate({ users }: { users: string[] }) {
      if (away) throw new GatewayError('backplane_unavailable');
      for (const session of sessions)
        if (users.includes(session.principal.userId)) session.rooms.delete(room);
    },
  } as unknown as Backplane;
}

function join(session: FakeSession, id = 1): Promise<number> {
  return rooms.join(session as unknown as Attendee, id);
}

function enter(id: string): FakeSession {
  const session = new FakeSession(id);
  sessions.push(session);
  return session;
}

beforeEach(() => {
  [members, sessions, joining, away, asked] = [new Set(['a', 'b']), [], undefined, false, []];
  rooms = makeRooms();
});

function makeRooms(): ConversationRooms {
  const backplane = fakeBackplane();
  const turns = new Turns(2);
  const store = {
    isMember: async (_: number, userId: string) => members.has(userId),
    strangers: async (pairs: readonly Membership[]) => {
      asked.push(...pairs.map(({ conversationId }) => conversationId));
      return pairs.filter(({ userId }) => !members.has(userId));
    },
    messages: async () => ({ messages: [], more: false }),
  };
  const untold = new Untold('/chat', backplane);
  const delivery = new Delivery({ maxBufferedBytes: 1000 }, backplane, store, turns, untold);
  return new ConversationRooms({
    config: { roomsPerSession: 2 },
    backplane,
    store,
    delivery,
    turns,
    untold,
  });
}

test('members only', async () => {
  const [a, c] = [enter('a1'), enter('c1')];
  await join(a);
  expect(a.isIn(room)).toBe(true);
  await expect(join(c)).rejects.toMatchObject({ code: 'conversation_not_found' });
  expect(c.rooms.size).toBe(0);
});

test('who is removed while it joins is not left inside', async () => {
  const a = enter('a1');
  joining = () => {
    members.delete('a');
    void rooms.leaveAll(1, 'a');
  };
  await expect(join(a)).rejects.toMatchObject({ code: 'conversation_not_found' });
  expect(a.rooms.size).toBe(0);
});

test('who was removed and asks again while still inside is taken out', async () => {
  const a = enter('a1');
  await join(a);
  members.delete('a');
  await expect(join(a)).rejects.toMatchObject({ code: 'conversation_not_found' });
  expect(a.rooms.size).toBe(0);
});

test('a client need not wait for its answers: the last thing it asked for holds', async () => {
  const a = enter('a1');
  await Promise.all([join(a), rooms.leave(a as unknown as Attendee, 1)]);
  expect(a.isIn(room)).toBe(false);
  await Promise.all([join(a), rooms.leave(a as unknown as Attendee, 1), join(a)]);
  expect(a.isIn(room)).toBe(true);
});

test('one that asks on and on is told to wait', async () => {
  const a = enter('a1');
  const joins = Array.from({ length: 30 }, () => join(a));
  const results = await Promise.allSettled(joins);
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(20);
  expect(results.at(-1)).toMatchObject({ reason: { code: 'rate_limited' } });
  await join(a);
});

test('only so many at once', async () => {
  const a = enter('a1');
  await join(a, 1);
  await join(a, 2);
  await expect(join(a, 3)).rejects.toMatchObject({ code: 'too_many_rooms' });
  await join(a, 2);
  await rooms.leave(a as unknown as Attendee, 1);
  await join(a, 3);
});

test('all sessions of a removed user leave, and nobody else', async () => {
  const all = [enter('a1'), enter('a2'), enter('b1')];
  for (const each of all) await join(each);
  await rooms.leaveAll(1, 'a');
  expect(all.map((each) => each.isIn(room))).toEqual([false, false, true]);
});

test('while the backplane is away those of this node leave', async () => {
  const [a, b] = [enter('a1'), enter('b1')];
  for (const each of [a, b]) await join(each);
  away = true;
  await rooms.leaveAll(1, 'a');
  expect([a, b].map((each) => each.isIn(room))).toEqual([false, true]);
  expect(a.got).toEqual(['left-conversation']);
});

test('a removal that was not heard is found out when the backplane is back', async () => {
  const [a, b] = [enter('a1'), enter('b1')];
  for (const each of [a, b]) await join(each);
  members.delete('b');
  tellHealth({ up: true } as BackplaneHealth);
  await expect.poll(() => b.isIn(room)).toBe(false);
  expect(a.isIn(room)).toBe(true);
  expect(b.got).toEqual(['left-conversation']);
});

test('one that was removed and then ended is not kept', async () => {
  const [a, b] = [enter('a1'), enter('b1')];
  await join(a);
  await join(b, 2);
  await rooms.leaveAll(1, 'a');
  rooms.ended(a as unknown as Attendee);
  // Were it kept, it would be asked about.
  a.rooms.add(room);
  tellHealth({ up: true } as BackplaneHealth);
  await expect.poll(() => asked).toContain(2);
  expect(asked).toEqual([2]);
});

test('a removal that a node was killed before it told of is found out in a while', async () => {
  vi.useFakeTimers();
  try {
    rooms = makeRooms();
    const [a, b] = [enter('a1'), enter('b1')];
    for (const each of [a, b]) await join(each);
    members.delete('b');
    await vi.advanceTimersByTimeAsync(30_000);
    expect([a, b].map((each) => each.isIn(room))).toEqual([true, false]);
    expect(b.got).toEqual(['left-conversation']);
  } finally {
    vi.useRealTimers();
    rooms.close();
  }
});
