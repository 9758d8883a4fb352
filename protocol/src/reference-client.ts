import type { z } from 'zod';
import type { CLIENT_EVENTS, ClientEventName } from './client-events.js';
import type { ClientEventReference } from './reference-types.js';

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl';
const ROOM_CODES = ['room_forbidden', 'too_many_rooms', 'backplane_unavailable'] as const;

type Payload<E extends ClientEventName> = z.input<(typeof CLIENT_EVENTS)[E]['payload']>;

/** What the reference says of the events that a client may send on `/`; a missing one does not compile. */
export const CLIENT_REFERENCE: {
  readonly [E in ClientEventName]: ClientEventReference<Payload<E>>;
} = {
  ping: {
    origin: 1,
    summary: 'Asks whether the gateway answers; what comes with it is sent back.',
    example: { at: 1 },
    recipients: 'The session itself, by `pong`',
    codes: [],
  },
  message: {
    origin: 5,
    summary: 'Says something to the services that listen to `streamgate:events`.',
    example: { message: 'Hello from client!' },
    recipients: 'Services, when `STREAMGATE_EVENTS_OUT` names `message`',
    codes: ['backplane_unavailable'],
  },
  'get-active-users': {
    origin: 3,
    summary: 'Asks who is connected, on all nodes, a page at a time.',
    example: { limit: 100 },
    recipients: 'The session itself, by `active-users`',
    codes: ['forbidden', 'backplane_unavailable'],
  },
  'get-users-stats': {
    origin: 3,
    summary: 'Asks how many users are connected, by role, and since when.',
    example: { limit: 100 },
    recipients: 'The session itself, by `users-stats`',
    codes: ['forbidden', 'backplane_unavailable'],
  },
  'send-message': {
    origin: 3,
    summary: 'Says something to everyone, or to one user.',
    example: { message: 'Hello', to: '7' },
    recipients:
      'Without `to` everyone, by `broadcast-message`; with `to` the user, by `private-message`',
    codes: ['user_offline', 'backplane_unavailable'],
  },
  'join-room': {
    origin: 3,
    summary: 'Joins a room, if its rules allow it.',
    example: { room: 'general' },
    recipients: 'The others in the room, by `user-joined-room`',
    codes: ROOM_CODES,
  },
  join_room: {
    origin: 4,
    summary: 'The same as `join-room`.',
    example: { room: 'course:123', type: 'discussion' },
    recipients: 'The others in the room, by `user-joined-room`',
    codes: ROOM_CODES,
  },
  'leave-room': {
    origin: 3,
    summary: 'Leaves a room; also when the session is not in it.',
    example: { room: 'general' },
    recipients: 'The others in the room, by `user-left-room`',
    codes: ['room_forbidden', 'backplane_unavailable'],
  },
  leave_room: {
    origin: 4,
    summary: 'The same as `leave-room`.',
    example: { room: 'course:123' },
    recipients: 'The others in the room, by `user-left-room`',
    codes: ['room_forbidden', 'backplane_unavailable'],
  },
  'room-message': {
    origin: 3,
    summary: 'Says something in a room that the session is in.',
    example: { room: 'general', message: 'Hello, room' },
    recipients: 'Everyone in the room, by `room-message`',
    codes: ['room_forbidden', 'not_in_room'],
  },
  typing_start: {
    origin: 4,
    summary: 'Says that the user is typing; it ends by itself 5 s after the last one.',
    example: { room: 'course:123', discussionId: 'discussion-456' },
    recipients: 'The others in the room, by `typing_indicator`',
    codes: ['room_forbidden', 'not_in_room'],
  },
  typing_stop: {
    origin: 4,
    summary: 'Says that the user types no more.',
    example: { room: 'course:123', discussionId: 'discussion-456' },
    recipients: 'The others in the room, by `typing_indicator`',
    codes: ['room_forbidden', 'not_in_room'],
  },
  'refresh-token': {
    origin: 'streamgate',
    summary: 'Hands in a new token of the same user, before the old one ends or in its grace time.',
    example: { token: TOKEN },
    recipients:
      'The session itself, by `token-refreshed`; changed roles decide its role rooms again',
    codes: ['authentication_failed', 'user_mismatch', 'token_revoked', 'jwks_unavailable'],
  },
};
