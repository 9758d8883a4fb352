import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Hub, principalOf } from '../../test/sessions.js';
import { createMemoryBackplane } from '../backplane/memory.js';
import { readConfig } from '../config.js';
import { Contacts } from './contacts.js';
import { Conversations } from './conversations.js';
import type { ChatStore } from './store/chat-store.js';
import { createChatStore } from './store/create-chat-store.js';

const ann = principalOf({ id: 'ann' });
const bob = principalOf({ id: '2' });
const eve = principalOf({ id: 'eve' });
const service = principalOf({ id: 'crm', roles: ['Service'] });

let hub: Hub;
let store: ChatStore;
let left: [number, string][];
let conversations: Conversations;

beforeAll(async () => {
  const env = { STREAMGATE_MODE: 'development', STREAMGATE_HTTP_PORT: '0' };
  const config = readConfig({ ...env, STREAMGATE_EMIT_ROLES: 'service,*' });
  hub = await new Hub(config, createMemoryBackplane(config)).start();
  store = createChatStore(config);
  await store.start();
  left = [];
  const rooms = {
    leaveAll: async (id: number, userId: string) => void left.push([id, userId]),
  };
  const { backplane, presence } = hub;
  new Contacts({ config, store, backplane, presence });
  conversations = new Conversations({ config, store, backplane, presence, rooms });
});
afterAll(async () => {
  await store.close();
  await hub.close();
});

const group = async (members: string[], title?: string) =>
  (await conversations.create(ann, { kind: 'group', members, title })).conversation;
const code = (wanted: string) => expect.objectContaining({ code: wanted }) as Error;

describe('making one', () => {
  test('a direct one is one for the two, whoever asks', async () => {
    const first = await conversations.create(ann, { kind: 'direct', members: ['2'] });
    expect(first).toMatchObject({
      created: true,
      conversation: { kind: 'direct', created_by: 'ann', last_seq: 0 },
    });
    expect(first.conversation.members.map(({ user_id }) => user_id)).toEqual(
      expect.arrayContaining(['ann', 2]),
    );
    const again = await conversations.create(bob, { kind: 'direct', members: ['2', 'ann'] });
    expect(again).toMatchObject({ created: false, conversation: { id: first.conversation.id } });
  });

  test.each([[['ann']], [['2', 'eve']], [['2', 'ann', 'eve']]])(
    'direct with %j',
    async (members) => {
      await expect(conversations.create(ann, { kind: 'direct', members })).rejects.toEqual(
        code('invalid_payload'),
      );
    },
  );

  test('a service makes it for others, and is in it only when it says so', async () => {
    const of = async (kind: 'direct' | 'group', members: string[]) => {
      const { conversation } = await conversations.create(service, { kind, members });
      return conversation.members.map(({ user_id }) => user_id);
    };
    expect(await of('direct', ['eve', '2'])).toEqual(expect.arrayContaining(['eve', 2]));
    expect(await of('direct', ['eve'])).toEqual(expect.arrayContaining(['eve', 'crm']));
    expect(await of('group', ['eve'])).toEqual(['eve']);
  });

  test('no larger than it may be', async () => {
    const members = Array.from({ length: 1000 }, (_, n) => `many-${n}`);
    await expect(group(members)).rejects.toEqual(code('conversation_full'));
  });
});

describe('who is no member', () => {
  test('finds nothing, and may do nothing', async () => {
    const { id } = await group(['2']);
    const attempts = [
      () => conversations.find(eve, id),
      () => conversations.find(service, id),
      () => conversations.rename(eve, id, 'mine'),
      () => conversations.addMember(eve, id, 'eve'),
      () => conversations.removeMember(eve, id, 'eve'),
      () => conversations.removeMember(eve, id, '2'),
      () => conversations.history(eve, id, {}),
      () => conversations.find(ann, 999_999),
    ];
    for (const attempt of attempts)
      await expect(attempt()).rejects.toEqual(code('conversation_not_found'));
    expect((await conversations.list(eve, {})).conversations.map((each) => each.id)).not.toContain(
      id,
    );
  });
});

describe('members', () => {
  const membersOf = async (id: number) =>
    (await conversations.find(ann, id)).members
      .map(({ user_id, role }) => `${user_id} ${role}`)
      .toSorted();

  test('any takes others in; the owner and services take them out; each leaves', async () => {
    const { id } = await group(['2']);
    await conversations.addMember(bob, id, 'eve');
    await conversations.addMember(bob, id, 'eve');
    await conversations.addMember(service, id, 'max');
    expect(await membersOf(id)).toEqual(['2 member', 'ann owner', 'eve member', 'max member']);
    await expect(conversations.removeMember(bob, id, 'eve')).rejects.toEqual(code('forbidden'));
    left.length = 0;
    await conversations.removeMember(ann, id, 'eve');
    await conversations.removeMember(service, id, 'max');
    await conversations.removeMember(bob, id, '2');
    expect(left).toEqual([
      [id, 'eve'],
      [id, 'max'],
      [id, '2'],
    ]);
    expect(await membersOf(id)).toEqual(['ann owner']);
  });

  test('the two of a direct one stay, and it has no title', async () => {
    const { conversation } = await conversations.create(ann, { kind: 'direct', members: ['2'] });
    const { id } = conversation;
    const attempts = [
      () => conversations.addMember(ann, id, 'eve'),
      () => conversations.removeMember(ann, id, 'ann'),
      () => conversations.rename(ann, id, 'us'),
    ];
    for (const attempt of attempts)
      await expect(attempt()).rejects.toEqual(code('conversation_fixed'));
  });

  test('are shown with who is online', async () => {
    const { id } = await group(['2']);
    const { session } = await hub.arrive({ id: '2' }, '/chat');
    const { members } = await conversations.find(ann, id);
    const online = new Map(members.map((member) => [member.user_id, member.online]));
    expect(online).toEqual(
      new Map<unknown, unknown>([
        ['ann', false],
        [2, true],
      ]),
    );
    await hub.presence.depart(session, true);
  });
});

test('nobody but a service makes as many as it likes', async () => {
  const make = (principal: typeof ann) =>
    conversations.create(principal, { kind: 'group', members: ['spammed'] });
  const eager = principalOf({ id: 'eager' });
  // At once: nothing is earned meanwhile, however slow the machine is.
  const made = await Promise.allSettled(Array.from({ length: 31 }, () => make(eager)));
  const refused = made.filter(({ status }) => status === 'rejected');
  expect(refused).toEqual([{ status: 'rejected', reason: code('rate_limited') }]);
  await make(service);
});

describe('members hear', () => {
  test('of a new conversation, its title, and who comes and goes', async () => {
    const here = await hub.arrive({ id: 'ann' }, '/chat');
    const there = await hub.arrive({ id: 'eve' }, '/chat');
    const conversation = await group(['2'], 'Trip');
    const { id } = conversation;
    expect(await here.client.next('conversation-created')).toEqual(conversation);
    const renamed = await conversations.rename(bob, id, 'Trip to Hanoi');
    expect(await here.client.next('conversation-updated')).toEqual(renamed);
    expect(renamed).toMatchObject({ id, title: 'Trip to Hanoi' });
    await conversations.addMember(bob, id, 'eve');
    const change = { conversationId: id, userId: 'eve', timestamp: expect.any(String) as string };
    expect(await here.client.next('member-added')).toEqual({ ...change, by: 2 });
    expect(await there.client.next('member-added')).toEqual({ ...change, by: 2 });
    expect(await there.client.next('conversation-created')).toMatchObject({ id });
    await conversations.removeMember(ann, id, 'eve');
    expect(await here.client.next('member-removed')).toEqual({ ...change, by: 'ann' });
    expect(await there.client.next('member-removed')).toEqual({ ...change, by: 'ann' });
    expect(there.client.has('conversation-updated')).toBe(false);
    for (const { session } of [here, there]) await hub.presence.depart(session, true);
  });
});

describe('contacts hear', () => {
  test('who comes with a first session and is gone with the last', async () => {
    await conversations.create(ann, { kind: 'direct', members: ['pal'] });
    const contact = await hub.arrive({ id: 'ann' }, '/chat');
    const stranger = await hub.arrive({ id: 'stranger' }, '/chat');
    const pal = await hub.arrive({ id: 'pal' }, '/chat');
    const second = await hub.arrive({ id: 'pal' }, '/chat');
    expect(await contact.client.next('user:online')).toEqual({ userId: 'pal' });
    await hub.presence.depart(pal.session, true);
    await hub.presence.depart(second.session, true);
    expect(await contact.client.next('user:offline')).toEqual({ userId: 'pal' });
    const again = await hub.arrive({ id: 'pal' }, '/chat');
    expect(await contact.client.next('user:online')).toEqual({ userId: 'pal' });
    expect(contact.client.has('user:offline')).toBe(false);
    for (const event of ['user:online', 'user:offline', 'user-connected'])
      expect(stranger.client.has(event)).toBe(false);
    for (const { session } of [contact, stranger, again]) await hub.presence.depart(session, true);
  });
});

describe('what was said', () => {
  const send = (conversationId: number, content: string) =>
    store.send({ conversationId, senderId: 'ann', type: 'text', content });

  test('is read by page, either way, and from where one was', async () => {
    const { id } = await group(['2'], 'History');
    for (let n = 1; n <= 7; n++) await send(id, `m${n}`);
    const page = async (range: Parameters<Conversations['history']>[2]) => {
      const { messages, nextCursor } = await conversations.history(bob, id, range);
      return [messages.map(({ content }) => content).join(' '), nextCursor];
    };
    expect(await page({ limit: 3 })).toEqual(['m5 m6 m7', '5']);
    expect(await page({ limit: 3, before: 5 })).toEqual(['m2 m3 m4', '2']);
    expect(await page({ limit: 3, before: 2 })).toEqual(['m1', undefined]);
    expect(await page({ limit: 4, after: 0 })).toEqual(['m1 m2 m3 m4', '4']);
    expect(await page({ limit: 4, after: 4 })).toEqual(['m5 m6 m7', undefined]);
    expect(await page({ since: 6 })).toEqual(['m7', undefined]);
    expect(await page({ since: 7 })).toEqual(['', undefined]);
  });

  test('the list has it: written in last first, what is unread, page by page', async () => {
    const max = principalOf({ id: 'list' });
    const ids = [];
    for (const title of ['A', 'B', 'C']) {
      const { conversation } = await conversations.create(max, {
        kind: 'group',
        members: ['ann'],
        title,
      });
      ids.push(conversation.id);
    }
    await send(ids[0]!, 'one');
    await send(ids[0]!, 'two');
    const first = await conversations.list(max, { limit: 2 });
    expect(first).toMatchObject({
      count: 3,
      conversations: [
        { title: 'A', unread: 2, last_message: { content: 'two', sender_id: 'ann' } },
        { title: 'C', unread: 0 },
      ],
    });
    const rest = await conversations.list(max, { limit: 2, cursor: first.nextCursor });
    expect(rest.conversations.map(({ title }) => title)).toEqual(['B']);
    expect(rest.nextCursor).toBeUndefined();
    await expect(conversations.list(max, { cursor: 'x' })).rejects.toEqual(code('invalid_payload'));
  });
});
