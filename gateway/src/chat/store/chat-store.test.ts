import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MEMBERS_MAX, RECEIPTS_TO_ALL_MAX } from '@streamgate/protocol/chat';
import { makeGroup, openStore } from '../../../test/chat-store.js';
import { type TestPostgres, startPostgres } from '../../../test/postgres.js';
import { type ChatStore, type Message, type NewMessage, REACTIONS_MAX } from './chat-store.js';

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

/** A stranger each time: tests share a database. */
let strangers = 0;
const somebody = () => `user-${++strangers}`;

function saying(conversationId: number, senderId: string, content: string) {
  return { conversationId, senderId, type: 'text', content } satisfies NewMessage;
}

describe.each(['PGlite', 'PostgreSQL'])('on %s', (kind) => {
  let store: ChatStore;
  beforeAll(async () => {
    store = await openStore(kind === 'PostgreSQL' ? { databaseUrl: server.url } : {});
  });
  afterAll(() => store.close());

  /** @throws when nothing came of it */
  async function say(conversationId: number, senderId: string, content: string) {
    const sent = await store.send(saying(conversationId, senderId, content));
    if (!sent) throw new Error('not a member');
    return sent.message;
  }

  test('it is up', () => {
    expect(store.health()).toEqual({ up: true, since: expect.any(Date), reason: undefined });
  });

  describe('conversations', () => {
    test('a group has its members, the owner being who made it', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const { conversation, created } = await store.createConversation({
        kind: 'group',
        title: 'Lunch',
        createdBy: ann,
        members: [ann, bob, bob],
      });
      expect(created).toBe(true);
      expect(conversation).toEqual({
        id: expect.any(Number),
        kind: 'group',
        title: 'Lunch',
        createdBy: ann,
        createdAt: expect.any(Date),
        updatedAt: expect.any(Date),
        lastSeq: 0,
        members: [
          {
            userId: ann,
            role: 'owner',
            joinedAt: expect.any(Date),
            lastReadSeq: 0,
            lastDeliveredSeq: 0,
          },
          expect.objectContaining({ userId: bob, role: 'member' }),
        ],
      });
      expect(await store.conversation(conversation.id, bob)).toEqual(conversation);
      expect(await store.conversation(conversation.id, somebody())).toBeUndefined();
      expect(await store.conversation(2 ** 40, ann)).toBeUndefined();
    });

    test('a direct conversation is one for each pair, whoever starts it', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const first = await store.createConversation({
        kind: 'direct',
        createdBy: ann,
        members: [ann, bob],
      });
      const second = await store.createConversation({
        kind: 'direct',
        createdBy: bob,
        members: [bob, ann],
      });
      expect(first.created).toBe(true);
      expect(second).toEqual({ conversation: first.conversation, created: false });
    });

    test('is one for ids that JavaScript and the database order differently', async () => {
      const members = [`😀${somebody()}`, `ａ${somebody()}`];
      const start = (pair: string[]) =>
        store.createConversation({ kind: 'direct', createdBy: members[0]!, members: pair });
      const { conversation, created } = await start(members);
      expect(created).toBe(true);
      expect(await start(members.toReversed())).toEqual({ conversation, created: false });
      const { conversations } = await store.conversationsOf(members[0]!, { limit: 1 });
      expect(conversations[0]?.peerId).toBe(members[1]);
    });

    test('is one also when many start it at once', async () => {
      const members = [somebody(), somebody()];
      const made = await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          store.createConversation({
            kind: 'direct',
            createdBy: members[index % 2]!,
            members: index % 2 ? members : members.toReversed(),
          }),
        ),
      );
      expect(new Set(made.map(({ conversation }) => conversation.id)).size).toBe(1);
      expect(made.filter(({ created }) => created)).toHaveLength(1);
      expect(made.every(({ conversation }) => conversation.members.length === 2)).toBe(true);
    });

    test.each([[['one']], [['one', 'one']], [['one', 'two', 'three']]])(
      'a direct conversation is not of %j',
      async (members) => {
        const creating = store.createConversation({ kind: 'direct', createdBy: 'one', members });
        await expect(creating).rejects.toMatchObject({ code: 'invalid_payload' });
      },
    );

    test('a name is given, changed and taken away', async () => {
      const ann = somebody();
      const id = await makeGroup(store, [ann]);
      expect(await store.rename(id, 'Tea')).toMatchObject({ id, title: 'Tea' });
      expect(await store.rename(id, '')).toMatchObject({ id, title: undefined });
      expect(await store.rename(2 ** 40, 'Tea')).toBeUndefined();
    });

    test('a list has last messages, peers and unread counts, and is paged through', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const { conversation: direct } = await store.createConversation({
        kind: 'direct',
        createdBy: ann,
        members: [ann, bob],
      });
      const groups = [
        await makeGroup(store, [ann, bob]),
        await makeGroup(store, [ann]),
        await makeGroup(store, [bob]),
      ];
      const last = await say(groups[0]!, bob, 'see you there');
      await store.react({ messageId: last.id, userId: ann, reaction: '👍', on: true });
      await say(direct.id, bob, 'hello');
      await say(direct.id, bob, 'are you there?');

      const first = await store.conversationsOf(ann, { limit: 2 });
      expect(first).toMatchObject({
        count: 3,
        conversations: [
          {
            id: direct.id,
            kind: 'direct',
            peerId: bob,
            unread: 2,
            lastSeq: 2,
            lastMessage: { content: 'are you there?', seq: 2, createdAt: expect.any(Date) },
          },
          {
            id: groups[0],
            peerId: undefined,
            unread: 1,
            lastMessage: { ...last, reactions: [{ reaction: '👍', userIds: [ann] }] },
          },
        ],
      });
      const second = await store.conversationsOf(ann, { limit: 2, cursor: first.nextCursor });
      expect(second).toMatchObject({
        count: 3,
        nextCursor: undefined,
        conversations: [{ id: groups[1], unread: 0, lastMessage: undefined }],
      });
      expect(await store.conversationsOf(somebody(), { limit: 2 })).toEqual({
        count: 0,
        nextCursor: undefined,
        conversations: [],
      });
    });

    test.each(['x', 'MTI', 'MS4y4pyT', 'OTk5OTk5OTk5OTk5OTk5LjE'])(
      'the cursor %s is refused',
      async (cursor) => {
        const asking = store.conversationsOf('somebody', { limit: 1, cursor });
        await expect(asking).rejects.toMatchObject({ code: 'invalid_payload' });
      },
    );
  });

  describe('members', () => {
    test('come and go', async () => {
      const [ann, bob, cat] = [somebody(), somebody(), somebody()];
      const id = await makeGroup(store, [ann, bob]);
      await say(id, ann, 'before');
      expect(await store.isMember(id, cat)).toBe(false);
      expect(await store.addMember(id, cat)).toBe('changed');
      expect(await store.addMember(id, cat)).toBe('unchanged');
      expect(await store.isMember(id, cat)).toBe(true);
      expect(await store.membersOf(id)).toEqual([ann, bob, cat]);
      const dan = somebody();
      const pairs = [ann, dan, cat].map((userId) => ({ conversationId: id, userId }));
      const elsewhere = { conversationId: id + 1_000_000, userId: ann };
      expect(await store.strangers([...pairs, elsewhere])).toEqual([pairs[1], elsewhere]);
      expect(await store.strangers([])).toEqual([]);
      expect(await store.unreadOf(cat, 10)).toEqual([]);
      expect(await store.removeMember(id, ann)).toBe('changed');
      expect(await store.removeMember(id, ann)).toBe('unchanged');
      expect(await store.isMember(id, ann)).toBe(false);
      expect(await store.send(saying(id, ann, 'me again'))).toBeUndefined();
      expect((await store.conversation(id, bob))?.members).toEqual([
        expect.objectContaining({ userId: bob, role: 'owner' }),
        expect.objectContaining({ userId: cat, role: 'member' }),
      ]);
      expect(await store.addMember(2 ** 40, ann)).toBe('missing');
      expect(await store.removeMember(2 ** 40, ann)).toBe('missing');
    });

    test('of a direct conversation stay', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const { conversation } = await store.createConversation({
        kind: 'direct',
        createdBy: ann,
        members: [ann, bob],
      });
      expect(await store.addMember(conversation.id, somebody())).toBe('direct');
      expect(await store.removeMember(conversation.id, bob)).toBe('direct');
    });

    test('are only so many, also when several come at once', async () => {
      const members = Array.from({ length: MEMBERS_MAX - 2 }, somebody);
      const id = await makeGroup(store, members);
      const outcomes = await Promise.all(
        Array.from({ length: 6 }, () => store.addMember(id, somebody())),
      );
      expect(outcomes.toSorted()).toEqual(['changed', 'changed', 'full', 'full', 'full', 'full']);
      expect(await store.membersOf(id)).toHaveLength(MEMBERS_MAX);
      const creating = store.createConversation({
        kind: 'group',
        createdBy: 'x',
        members: Array.from({ length: MEMBERS_MAX + 1 }, somebody),
      });
      await expect(creating).rejects.toMatchObject({ code: 'invalid_payload' });
    });

    test('know each other as contacts', async () => {
      const [ann, bob, cat, dan] = [somebody(), somebody(), somebody(), somebody()];
      await makeGroup(store, [ann, bob, cat]);
      await makeGroup(store, [ann, bob]);
      await makeGroup(store, [bob, dan]);
      expect((await store.contactsOf(ann, 10)).toSorted()).toEqual([bob, cat].toSorted());
      expect(await store.contactsOf(bob, 2)).toHaveLength(2);
      expect(await store.contactsOf(somebody(), 10)).toEqual([]);
    });

    test('say how they are', async () => {
      const [ann, bob] = [somebody(), somebody()];
      await store.setStatus(ann, 'away');
      await store.setStatus(ann, 'busy');
      expect(await store.statusesOf([ann, bob])).toEqual(new Map([[ann, 'busy']]));
    });
  });

  describe('messages', () => {
    test('are numbered without gaps, with ids in the same order', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const [one, other] = [await makeGroup(store, [ann, bob]), await makeGroup(store, [ann])];
      const sent = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          index % 4 === 3
            ? say(other, ann, `${index}`)
            : say(one, index % 2 ? ann : bob, `${index}`),
        ),
      );
      const ofOne = sent.filter((message) => message.conversationId === one);
      expect(ofOne.map(({ seq }) => seq)).toEqual(ofOne.map((_, index) => index + 1));
      expect(ofOne.map(({ id }) => id)).toEqual(
        ofOne.map(({ id }) => id).toSorted((a, b) => a - b),
      );
      const { messages } = await store.messages({ conversationId: one, limit: 100 });
      expect(messages).toEqual(ofOne);
    });

    test('keep what was said, whatever it is', async () => {
      const ann = somebody();
      const id = await makeGroup(store, [ann]);
      const said: NewMessage[] = [
        saying(id, ann, `it's "quoted" \\ and \n broken, 😀 <script>`),
        saying(id, ann, ''),
        {
          ...saying(id, ann, 'a picture'),
          type: 'image',
          clientMessageId: "'; drop table messages; --",
          attachment: { url: 'https://x.test/{a},"b"', name: 'ä.png', mime: 'image/png', size: 7 },
        },
      ];
      const sent = await Promise.all(said.map((message) => store.send(message)));
      const { messages } = await store.messages({ conversationId: id, limit: 10 });
      expect(messages).toEqual(sent.map((one) => one?.message));
      expect(messages).toMatchObject(said);
    });

    test('are of members only, and one who is none does not disturb the others', async () => {
      const ann = somebody();
      const id = await makeGroup(store, [ann]);
      const sent = await Promise.all([
        store.send(saying(id, ann, 'one')),
        store.send(saying(id, somebody(), 'let me in')),
        store.send(saying(2 ** 40, ann, 'nowhere')),
        store.send(saying(id, ann, 'two')),
      ]);
      expect(sent.map((one) => one?.message.seq)).toEqual([1, undefined, undefined, 2]);
    });

    test('one that cannot be kept does not take others with it', async () => {
      const ann = somebody();
      const id = await makeGroup(store, [ann]);
      const sent = await Promise.allSettled([
        store.send(saying(id, ann, 'one')),
        store.send(saying(id, ann, 'two')),
        store.send(saying(id, ann, 'nul \0, private')),
        store.send(saying(id, ann, 'three')),
      ]);
      expect(sent).toMatchObject([
        { value: { message: { seq: 1 } } },
        { value: { message: { seq: 2 } } },
        { reason: { code: 'internal' } },
        { value: { message: { seq: 3 } } },
      ]);
      const refused = sent[2] as PromiseRejectedResult;
      expect(inspect(refused.reason, { depth: 5 })).toContain('SQLSTATE 22P05');
      expect(inspect(refused.reason, { depth: 5 })).not.toContain('private');
      expect(store.health().up).toBe(true);
    });

    test('sent again under their client id are there once', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const id = await makeGroup(store, [ann, bob]);
      const message = { ...saying(id, ann, 'once'), clientMessageId: 'c1' };
      const sent = await Promise.all(Array.from({ length: 10 }, () => store.send(message)));
      expect(sent.filter((one) => one?.duplicate)).toHaveLength(9);
      expect(new Set(sent.map((one) => one?.message.id)).size).toBe(1);
      expect(sent.at(-1)?.message).toEqual(sent[0]?.message);
      // The id is the sender's own, in a conversation.
      const other = await makeGroup(store, [ann]);
      expect(await store.send({ ...message, senderId: bob })).toMatchObject({ duplicate: false });
      expect(await store.send({ ...message, conversationId: other })).toMatchObject({
        duplicate: false,
        message: { seq: 1 },
      });
      expect(await say(id, ann, 'next')).toMatchObject({ seq: 3 });
    });

    test('are read in pages, both ways and between', async () => {
      const ann = somebody();
      const conversationId = await makeGroup(store, [ann]);
      for (let number = 1; number <= 5; number++) await say(conversationId, ann, `${number}`);
      const page = async (range: { after?: number; before?: number; limit: number }) => {
        const { messages, more } = await store.messages({ conversationId, ...range });
        return [messages.map(({ seq }) => seq), more];
      };
      expect(await page({ limit: 2 })).toEqual([[4, 5], true]);
      expect(await page({ before: 4, limit: 2 })).toEqual([[2, 3], true]);
      expect(await page({ before: 2, limit: 2 })).toEqual([[1], false]);
      expect(await page({ after: 0, limit: 2 })).toEqual([[1, 2], true]);
      expect(await page({ after: 3, limit: 2 })).toEqual([[4, 5], false]);
      expect(await page({ after: 1, before: 4, limit: 5 })).toEqual([[2, 3], false]);
      expect(await page({ after: 5, limit: 5 })).toEqual([[], false]);
    });

    test('are changed by their sender, while it is a member', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const id = await makeGroup(store, [ann, bob]);
      const message = await say(id, ann, 'teh');
      const changed = await store.edit(message.id, ann, 'the');
      expect(changed).toEqual({ ...message, content: 'the', updatedAt: expect.any(Date) });
      expect(changed!.updatedAt.getTime()).toBeGreaterThanOrEqual(message.createdAt.getTime());
      expect(await store.edit(message.id, bob, 'mine')).toBeUndefined();
      expect(await store.edit(2 ** 40, ann, 'x')).toBeUndefined();
      await store.removeMember(id, ann);
      expect(await store.edit(message.id, ann, 'x')).toBeUndefined();
      expect(await store.remove(message.id, ann)).toBeUndefined();
    });

    test('leave their number when they are deleted', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const id = await makeGroup(store, [ann, bob]);
      const message = await store.send({
        ...saying(id, ann, 'secret'),
        type: 'file',
        attachment: { url: 'https://x.test', name: 'x', mime: 'text/plain', size: 1 },
      });
      const messageId = message!.message.id;
      await store.react({ messageId, userId: bob, reaction: '👍', on: true });
      expect(await store.remove(messageId, bob)).toBeUndefined();
      const removed = await store.remove(messageId, ann);
      expect(removed).toMatchObject({
        seq: 1,
        content: '',
        attachment: undefined,
        deletedAt: expect.any(Date),
        reactions: [],
      });
      expect((await store.messages({ conversationId: id, limit: 1 })).messages).toEqual([removed]);
      expect(await store.remove(messageId, ann)).toBeUndefined();
      expect(await store.edit(messageId, ann, 'back')).toBeUndefined();
      expect(
        await store.react({ messageId, userId: bob, reaction: '👍', on: true }),
      ).toBeUndefined();
    });

    test('have reactions', async () => {
      const [ann, bob, cat] = [somebody(), somebody(), somebody()];
      const id = await makeGroup(store, [ann, bob]);
      const { id: messageId } = await say(id, ann, 'cake!');
      const react = (userId: string, reaction: string, on = true) =>
        store.react({ messageId, userId, reaction, on });
      expect(await react(bob, '🎂')).toEqual({ conversationId: id, seq: 1, changed: true });
      expect(await react(bob, '🎂')).toMatchObject({ changed: false });
      expect(await react(ann, '🎂')).toMatchObject({ changed: true });
      expect(await react(ann, '👍')).toMatchObject({ changed: true });
      expect(await react(cat, '👍')).toBeUndefined();
      const reactions = async () =>
        (await store.messages({ conversationId: id, limit: 1 })).messages[0]?.reactions;
      expect(await reactions()).toEqual([
        { reaction: '🎂', userIds: [bob, ann] },
        { reaction: '👍', userIds: [ann] },
      ]);
      expect(await react(bob, '🎂', false)).toMatchObject({ changed: true });
      expect(await react(bob, '🎂', false)).toMatchObject({ changed: false });
      expect(await react(cat, '🎂', false)).toBeUndefined();
      expect(await reactions()).toEqual([
        { reaction: '🎂', userIds: [ann] },
        { reaction: '👍', userIds: [ann] },
      ]);
      for (let number = 1; number <= REACTIONS_MAX; number++)
        expect(await react(bob, `${number}`)).toMatchObject({ changed: true });
      expect(await react(bob, 'one more')).toMatchObject({ changed: false });
    });
  });

  describe('receipts', () => {
    test('move forward, never back, and count what is unread', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const conversationId = await makeGroup(store, [ann, bob]);
      const sent: Message[] = [];
      for (let number = 1; number <= 4; number++)
        sent.push(await say(conversationId, ann, `${number}`));
      const receipt = (index: number, userId = bob) => ({
        conversationId,
        userId,
        messageId: sent[index]!.id,
      });
      const marks = async () =>
        (await store.conversation(conversationId, bob))?.members.find(
          ({ userId }) => userId === bob,
        );
      expect(await store.markDelivered(receipt(3))).toEqual({ seq: 4, unread: 4, changed: true });
      expect(await marks()).toMatchObject({ lastReadSeq: 0, lastDeliveredSeq: 4 });
      expect(await store.markRead(receipt(1))).toEqual({ seq: 2, unread: 2, changed: true });
      expect(await store.markRead(receipt(0))).toEqual({ seq: 2, unread: 2, changed: false });
      expect(await marks()).toMatchObject({ lastReadSeq: 2, lastDeliveredSeq: 4 });
      expect(await store.unreadOf(bob, 10)).toEqual([{ conversationId, unread: 2 }]);
      expect(await store.unreadOf(ann, 10)).toEqual([]);
      expect(await store.markRead(receipt(3))).toEqual({ seq: 4, unread: 0, changed: true });
      expect(await store.unreadOf(bob, 10)).toEqual([]);
    });

    test('of large conversations name those who wrote what was not marked before', async () => {
      const [ann, bob, carl] = [somebody(), somebody(), somebody()];
      const others = Array.from({ length: RECEIPTS_TO_ALL_MAX - 3 }, somebody);
      const conversationId = await makeGroup(store, [ann, bob, carl, ...others]);
      const sent: Message[] = [];
      for (const writer of [ann, bob, carl, carl, ann])
        sent.push(await say(conversationId, writer, 'hi'));
      const read = (index: number) =>
        store.markRead({ conversationId, userId: bob, messageId: sent[index]!.id });
      expect((await read(0))?.writers).toBeUndefined();

      await store.addMember(conversationId, somebody());
      expect((await read(2))?.writers).toEqual([carl]);
      expect(await read(1)).toMatchObject({ changed: false, writers: undefined });
      expect((await read(4))?.writers?.toSorted()).toEqual([ann, carl].toSorted());

      sent.push(await say(conversationId, ann, 'hi'), await say(conversationId, carl, 'bye'));
      await store.addMember(conversationId, somebody());
      await store.removeMember(conversationId, carl);
      expect((await read(6))?.writers).toEqual([ann]);
    });

    test('of reading say that it was delivered too', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const conversationId = await makeGroup(store, [ann, bob]);
      const { id: messageId } = await say(conversationId, ann, 'hi');
      await store.markRead({ conversationId, userId: bob, messageId });
      expect((await store.conversation(conversationId, bob))?.members).toEqual([
        expect.objectContaining({ userId: ann, lastReadSeq: 0, lastDeliveredSeq: 0 }),
        expect.objectContaining({ userId: bob, lastReadSeq: 1, lastDeliveredSeq: 1 }),
      ]);
    });

    test('who answers has read what is above', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const id = await makeGroup(store, [ann, bob]);
      await say(id, ann, 'one');
      await say(id, bob, 'two');
      await say(id, ann, 'three');
      expect(await store.unreadOf(bob, 10)).toMatchObject([{ unread: 1 }]);
      expect((await store.conversationsOf(ann, { limit: 1 })).conversations).toMatchObject([
        { unread: 0 },
      ]);
    });

    test('are of members, for messages of the conversation', async () => {
      const [ann, bob] = [somebody(), somebody()];
      const [id, other] = [await makeGroup(store, [ann]), await makeGroup(store, [ann, bob])];
      const { id: messageId } = await say(id, ann, 'hi');
      const marked = [
        await store.markRead({ conversationId: id, userId: bob, messageId }),
        await store.markRead({ conversationId: other, userId: bob, messageId }),
        await store.markDelivered({ conversationId: id, userId: ann, messageId: 2 ** 40 }),
      ];
      expect(marked).toEqual([undefined, undefined, undefined]);
    });
  });
});
