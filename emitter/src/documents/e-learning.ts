import { canonicalRoom } from '@streamgate/protocol/rooms';
import type { ServiceEvents } from '@streamgate/protocol/service-events';
import type { Emitter, Written } from '../emitter.js';

/** Document 4's notification; what goes to the client is all of it but `userId`. */
export interface Notice {
  readonly type: string;
  readonly title: string;
  readonly message: string;
  readonly data?: unknown;
}

/** A time as the service has it; it travels as ISO 8601. */
type Time = Date | string;
type Sent = Promise<Written>;
type Untimed<E extends keyof ServiceEvents> = Omit<ServiceEvents[E], 'timestamp'>;

/** What services of document 4 call on its `NotificationService` and `WebSocketService`. */
export interface ELearning {
  createNotification(notice: Notice & { readonly userId: string }): Sent;
  /** Each to its user; they travel together. */
  createBulkNotifications(
    notices: readonly (Notice & { readonly userId: string })[],
  ): Promise<Written[]>;
  createRoomNotification(room: string, notice: Notice): Sent;
  sendDiscussionMessage(
    room: string,
    message: Untimed<'discussion_message'> & { readonly timestamp?: Time },
  ): Sent;
  sendDiscussionReaction(
    room: string,
    discussionId: string,
    userId: string,
    reaction: string,
  ): Sent;
  sendLiveSessionEvent(room: string, event: ServiceEvents['live_session_event']): Sent;
  /** To `course:<courseId>`. */
  sendCourseAnnouncement(
    courseId: string,
    announcement: Omit<Untimed<'course_announcement'>, 'courseId'>,
  ): Sent;
  /** To `course:<courseId>`. */
  sendCourseUpdate(courseId: string, update: Omit<Untimed<'course_update'>, 'courseId'>): Sent;
  /** To `private:<from>:<to>`, the room of both. */
  sendPrivateMessage(from: string, to: string, message: ServiceEvents['private_message']): Sent;
  /** To the others in the room; volatile, since the next one corrects it. */
  sendTypingIndicator(
    room: string,
    typing: { userId: string; username: string; isTyping: boolean; discussionId?: string },
  ): Sent;
  /** To everyone but the user. */
  sendUserPresence(userId: string, status: 'online' | 'offline'): Sent;
  /** To everyone. */
  sendSystemAnnouncement(announcement: ServiceEvents['system_announcement']): Sent;
}

/** Document 4's services, with its payloads; a `timestamp` is added where its clients expect one. */
export function eLearning(emitter: Emitter): ELearning {
  const course = (courseId: string) => emitter.to(`course:${courseId}`);
  const now = () => new Date().toISOString();
  const createNotification: ELearning['createNotification'] = ({ userId, ...notice }) =>
    emitter.toUser(userId).emit('notification', notice);
  return {
    createNotification,
    createBulkNotifications: (notices) => Promise.all(notices.map(createNotification)),
    createRoomNotification: (room, notice) => emitter.to(room).emit('notification', notice),
    sendDiscussionMessage: (room, { timestamp = now(), ...message }) =>
      emitter.to(room).emit('discussion_message', {
        ...message,
        timestamp: new Date(timestamp).toISOString(),
      }),
    sendDiscussionReaction: (room, discussionId, userId, reaction) =>
      emitter
        .to(room)
        .emit('discussion_reaction', { discussionId, userId, reaction, timestamp: now() }),
    sendLiveSessionEvent: (room, event) => emitter.to(room).emit('live_session_event', event),
    sendCourseAnnouncement: (courseId, announcement) =>
      course(courseId).emit('course_announcement', { courseId, ...announcement, timestamp: now() }),
    sendCourseUpdate: (courseId, update) =>
      course(courseId).emit('course_update', { courseId, ...update, timestamp: now() }),
    sendPrivateMessage: (from, to, message) =>
      emitter.to(canonicalRoom(`private:${from}:${to}`)).emit('private_message', message),
    sendTypingIndicator: (room, typing) =>
      emitter
        .to(room)
        .except(`user:${typing.userId}`)
        .volatile()
        .emit('typing_indicator', { room, ...typing }),
    sendUserPresence: (userId, status) =>
      emitter
        .broadcast()
        .except(`user:${userId}`)
        .emit('user_presence', { userId, status, timestamp: now() }),
    sendSystemAnnouncement: (announcement) =>
      emitter.broadcast().emit('system_announcement', announcement),
  };
}
