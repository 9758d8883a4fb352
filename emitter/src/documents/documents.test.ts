import { commandOfEntry, streamNames } from '@streamgate/protocol/stream';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type TestRedis, startRedis } from '../../../gateway/test/redis.ts';
import { Emitter } from '../emitter.js';
import { chatEvents } from './chat.js';
import { eLearning } from './e-learning.js';

/** What document 2's and 4's services send; documents 3 and 5 need a gateway to answer. */
const names = streamNames('streamgate');
const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
let server: TestRedis;
let redis: Redis;
let emitter: Emitter;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  emitter = new Emitter({ redis: server.url });
});
beforeEach(() => redis.flushall());
afterAll(async () => {
  await emitter.close();
  redis.disconnect();
  await server.stop();
});

/** `[to, event, payload]` of each command, and what else it says. */
async function sent() {
  const entries = await redis.xrange(names.partition(0), '-', '+');
  return entries.map(([, fields]) => {
    const { action: _, source: __, id: ___, ...command } = commandOfEntry(fields);
    if (!('event' in command)) throw new Error('not an emit');
    const { to, event, args, ...rest } = command;
    return [typeof to === 'string' ? to : to.join(), event, args[0], rest];
  });
}

test('document 4: notifications', async () => {
  const service = eLearning(emitter);
  const update = { type: 'COURSE_UPDATE', title: 'New Lesson', message: 'Added' };
  await service.createNotification({
    userId: 'user-123',
    ...update,
    data: { courseId: 'course-456' },
  });
  await service.createBulkNotifications(['1', '2'].map((userId) => ({ userId, ...update })));
  await service.createRoomNotification('course:123', update);
  expect(await sent()).toEqual([
    ['user:user-123', 'notification', { ...update, data: { courseId: 'course-456' } }, {}],
    ['user:1', 'notification', update, {}],
    ['user:2', 'notification', update, {}],
    ['course:123', 'notification', update, {}],
  ]);
});

test('document 4: discussions, live sessions, courses, messages, typing, presence', async () => {
  const service = eLearning(emitter);
  const message = { id: 'm', discussionId: 'd', userId: 'u', content: 'Great question!' };
  await service.sendDiscussionMessage('course:1', { ...message, timestamp: new Date(0) });
  await service.sendDiscussionReaction('course:1', 'd', 'u', '👍');
  const live = { sessionId: 's', type: 'screen_share', userId: 'u', data: { isSharing: true } };
  await service.sendLiveSessionEvent('live-session:s', live);
  const announcement = { title: 'New Assignment', message: 'Module 3', instructorId: 'i' };
  await service.sendCourseAnnouncement('c', announcement);
  const update = { type: 'new_lesson', title: 'New', message: 'Module 4', data: { lessonId: 'l' } };
  await service.sendCourseUpdate('c', update);
  await service.sendPrivateMessage('b', 'a', { content: 'Hello' });
  const typing = { userId: 'u', username: 'Ann', isTyping: true };
  await service.sendTypingIndicator('course:1', typing);
  await service.sendUserPresence('u', 'online');
  await service.sendSystemAnnouncement({ title: 'Maintenance' });
  const reaction = { discussionId: 'd', userId: 'u', reaction: '👍', timestamp };
  expect(await sent()).toEqual([
    ['course:1', 'discussion_message', { ...message, timestamp: '1970-01-01T00:00:00.000Z' }, {}],
    ['course:1', 'discussion_reaction', reaction, {}],
    ['live-session:s', 'live_session_event', live, {}],
    ['course:c', 'course_announcement', { courseId: 'c', ...announcement, timestamp }, {}],
    ['course:c', 'course_update', { courseId: 'c', ...update, timestamp }, {}],
    ['private:a:b', 'private_message', { content: 'Hello' }, {}],
    [
      ...['course:1', 'typing_indicator', { room: 'course:1', ...typing }],
      { except: ['user:u'], volatile: true },
    ],
    ['*', 'user_presence', { userId: 'u', status: 'online', timestamp }, { except: ['user:u'] }],
    ['*', 'system_announcement', { title: 'Maintenance' }, {}],
  ]);
});

test('document 2: messages, typing, conversations', async () => {
  const events = chatEvents(emitter);
  const message = {
    ...{ id: 1, conversation_id: 2, sender_id: 3 },
    ...{ message_type: 'text', content: 'Hello!' },
  };
  await events.emitMessageCreated(message);
  await events.emitMessageUpdated({ ...message, content: 'Hi!' });
  await events.emitMessageDeleted({ id: 1, conversation_id: 2 });
  await events.emitTyping({ conversationId: 2, userId: 3, isTyping: true });
  await events.emitConversationCreated({ id: 2 }, [3, 4]);
  const nsp = '/chat';
  expect(await sent()).toEqual([
    ['conversation:2', 'receive-message', message, { nsp }],
    ['conversation:2', 'message-updated', { ...message, content: 'Hi!' }, { nsp }],
    ['conversation:2', 'message-deleted', { id: 1, conversation_id: 2 }, { nsp }],
    [
      ...['conversation:2', 'user-typing', { conversationId: 2, userId: 3, isTyping: true }],
      { nsp, except: ['user:3'], volatile: true },
    ],
    ['user:3,user:4', 'conversation-created', { id: 2 }, { nsp, key: 'conversation:2' }],
  ]);
});
