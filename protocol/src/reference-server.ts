import type { EventReference } from './reference-types.js';
import type { ServerEventName, ServerPayload } from './server-events.js';

const TIME = '2026-11-21T09:30:00.000Z';
const ANN = { id: '42', username: 'ann', roles: ['teacher'] };

/** What the reference says of the events that the gateway sends on `/`; a missing one does not compile. */
export const SERVER_REFERENCE: {
  readonly [E in ServerEventName]: EventReference<ServerPayload<E>>;
} = {
  connected: {
    origin: [1, 3, 4, 5],
    summary: 'The session is open; `recovered` says whether it goes on where it was cut off.',
    example: {
      message: 'Successfully connected to WebSocket',
      userId: '42',
      socketId: 'mWJtQ4tuhEsCoNzyAAAB',
      user: ANN,
      timestamp: TIME,
      recovered: false,
    },
    recipients: 'The session itself',
  },
  error: {
    origin: [1, 3, 4, 5],
    summary: 'What the session sent was refused, or why it is closed.',
    example: {
      message: 'Join the room first',
      code: 'not_in_room',
      retryable: false,
      event: 'room-message',
    },
    recipients: 'The session itself',
  },
  'token-refreshed': {
    origin: 'streamgate',
    summary: 'The new token holds; null when it does not expire.',
    example: { expiresAt: TIME },
    recipients: 'The session itself',
  },
  'inbox-delivered': {
    origin: 'streamgate',
    summary: 'All that had waited for the user was sent on this session; what follows is live.',
    example: { events: 3 },
    recipients: 'The session itself',
  },
  draining: {
    origin: 'streamgate',
    summary: 'The node will move its sessions; the client comes back on another by itself.',
    example: { withinMs: 60_000 },
    recipients: 'Every session of the node, when the operator asked for it',
  },
  pong: {
    origin: 1,
    summary: 'Answers `ping`.',
    example: { timestamp: TIME, data: { at: 1 } },
    recipients: 'The session itself',
  },
  'user-connected': {
    origin: 3,
    summary: 'The first session of a user has come.',
    example: { user: ANN, timestamp: TIME, activeUsersCount: 12 },
    recipients: 'Everyone but the user, up to `STREAMGATE_ANNOUNCE_MAX_USERS`',
  },
  'user-disconnected': {
    origin: 3,
    summary: 'The last session of a user is gone.',
    example: { user: ANN, timestamp: TIME, activeUsersCount: 11 },
    recipients: 'Everyone but the user, up to `STREAMGATE_ANNOUNCE_MAX_USERS`',
  },
  'active-users': {
    origin: 3,
    summary: 'Answers `get-active-users`; `count` is the total.',
    example: { users: [{ ...ANN, sessions: 2, connectedAt: TIME }], count: 1 },
    recipients: 'The session itself',
  },
  'users-stats': {
    origin: 3,
    summary: 'Answers `get-users-stats`.',
    example: {
      totalUsers: 1,
      usersByRole: { teacher: 1 },
      connectionTimes: [{ userId: '42', username: 'ann', connectedAt: TIME }],
    },
    recipients: 'The session itself',
  },
  'private-message': {
    origin: 3,
    summary: 'Somebody said something to this user.',
    example: { from: ANN, message: 'Hello', timestamp: TIME },
    recipients: 'Every session of the user addressed',
  },
  'broadcast-message': {
    origin: 3,
    summary: 'Somebody said something to everyone.',
    example: { from: ANN, message: 'Hello', timestamp: TIME },
    recipients: 'Everyone in the namespace, the sender included',
  },
  'room-message': {
    origin: 3,
    summary: 'Somebody said something in a room.',
    example: { from: ANN, message: 'Hello, room', timestamp: TIME, room: 'general' },
    recipients: 'Everyone in the room, the sender included',
  },
  notification: {
    origin: [3, 4, 5],
    summary: 'A notification for this user; what services send under this name arrives as sent.',
    example: { from: ANN, message: 'Your report is ready', type: 'info', timestamp: TIME },
    recipients: 'Every session of the user addressed',
  },
  'broadcast-notification': {
    origin: 3,
    summary: 'A notification for everyone.',
    example: { from: ANN, message: 'Maintenance at noon', type: 'warning', timestamp: TIME },
    recipients: 'Everyone in the namespace',
  },
  'role-notification': {
    origin: 3,
    summary: 'A notification for those who have a role.',
    example: {
      from: ANN,
      message: 'Grades are due',
      type: 'info',
      timestamp: TIME,
      targetRole: 'teacher',
    },
    recipients: 'Every session with the role',
  },
  'user-joined-room': {
    origin: 3,
    summary: 'Somebody joined a room.',
    example: { user: ANN, room: 'general', timestamp: TIME },
    recipients: 'The others in the room',
  },
  'user-left-room': {
    origin: 3,
    summary: 'Somebody left a room, or is gone.',
    example: { user: ANN, room: 'general', timestamp: TIME },
    recipients: 'The others in the room',
  },
  'joined-room': {
    origin: 3,
    summary: 'Answers `join-room` and `join_room`: what is sent to the room from now on arrives.',
    example: { room: 'general', message: 'Joined room general' },
    recipients: 'The session itself',
  },
  'left-room': {
    origin: 3,
    summary: 'Answers `leave-room` and `leave_room`.',
    example: { room: 'general', message: 'Left room general' },
    recipients: 'The session itself',
  },
  user_presence: {
    origin: 4,
    summary: 'A user is online now, or offline.',
    example: { userId: '42', status: 'online', timestamp: TIME },
    recipients: 'Everyone but the user, up to `STREAMGATE_ANNOUNCE_MAX_USERS`',
  },
  typing_indicator: {
    origin: 4,
    summary: 'Somebody in the room types, or types no more.',
    example: {
      room: 'course:123',
      discussionId: 'discussion-456',
      userId: '42',
      username: 'ann',
      isTyping: true,
    },
    recipients: 'The others in the room',
  },
  messageReceived: {
    origin: 5,
    summary: 'Answers `message`, once services can read it.',
    example: {
      success: true,
      message: 'Message received by server',
      data: { receivedMessage: 'Hello from client!', timestamp: TIME },
    },
    recipients: 'The session itself',
  },
};
