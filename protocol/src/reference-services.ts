import type { EventReference } from './reference-types.js';
import type { ServiceEvents } from './service-events.js';

const TIME = '2026-11-21T09:30:00.000Z';

/** Events of services that the documents name; any other event name passes as well. */
export const SERVICE_REFERENCE: {
  readonly [E in keyof ServiceEvents]: EventReference<ServiceEvents[E]>;
} = {
  'join:room': {
    origin: 1,
    summary: 'The sessions of the user addressed also join the room, until the user is offline.',
    example: { room: 'quiz:7' },
    recipients: 'The users addressed',
  },
  'leave:room': {
    origin: 1,
    summary: 'The sessions of the user addressed also leave the room.',
    example: { room: 'quiz:7' },
    recipients: 'The users addressed',
  },
  discussion_message: {
    origin: 4,
    summary: 'A message in a discussion.',
    example: {
      id: 'msg-456',
      discussionId: 'discussion-789',
      userId: 'user-123',
      content: 'Great question!',
      timestamp: TIME,
    },
    recipients: 'The room of the course or discussion',
  },
  discussion_reaction: {
    origin: 4,
    summary: 'A reaction in a discussion.',
    example: {
      discussionId: 'discussion-789',
      userId: 'user-123',
      reaction: '👍',
      timestamp: TIME,
    },
    recipients: 'The room of the course or discussion',
  },
  live_session_event: {
    origin: 4,
    summary: 'Something happened in a live session.',
    example: {
      sessionId: 'live-session-456',
      type: 'user_joined',
      userId: 'user-123',
      data: { userName: 'John Doe' },
    },
    recipients: 'The room of the live session',
  },
  course_announcement: {
    origin: 4,
    summary: 'An announcement for a course.',
    example: {
      courseId: 'course-123',
      title: 'New Assignment Posted',
      message: 'Check out the new assignment in Module 3',
      instructorId: 'instructor-456',
      timestamp: TIME,
    },
    recipients: 'The room `course:<courseId>`',
  },
  course_update: {
    origin: 4,
    summary: 'A course has changed.',
    example: {
      courseId: 'course-123',
      type: 'new_lesson',
      title: 'New Lesson Available',
      message: 'Module 4: Advanced Topics is now available',
      data: { lessonId: 'lesson-789' },
      timestamp: TIME,
    },
    recipients: 'The room `course:<courseId>`',
  },
  private_message: {
    origin: 4,
    summary: 'A message for one user; its form is the service’s own.',
    example: { from: 'user-123', content: 'Hello' },
    recipients: 'The users addressed',
  },
  announcement: {
    origin: 4,
    summary: 'An announcement; its form is the service’s own.',
    example: { title: 'Welcome', message: 'The term begins' },
    recipients: 'Whom the service addresses',
  },
  system_announcement: {
    origin: 4,
    summary: 'An announcement for everyone; its form is the service’s own.',
    example: { title: 'System Maintenance', message: 'Scheduled maintenance tonight' },
    recipients: 'Everyone in the namespace',
  },
  alert: {
    origin: 5,
    summary: 'Something that the client shows at once.',
    example: { message: 'Your session is about to expire' },
    recipients: 'The users addressed',
  },
  update: {
    origin: 5,
    summary: 'Something has changed; its form is the service’s own.',
    example: { entity: 'order', id: 17 },
    recipients: 'The users addressed',
  },
};
