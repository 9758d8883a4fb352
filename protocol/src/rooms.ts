import { z } from 'zod';

/** Longest room name in bytes of UTF-8. */
export const ROOM_NAME_MAX_BYTES = 200;

// Control, format, line and paragraph separators are what "printable" leaves out.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Whether `name` may name a room: 1 to 200 bytes of printable characters, no `*` alone. */
export function isRoomName(name: string): boolean {
  return (
    name.length > 0 &&
    name !== '*' &&
    // A UTF-16 unit is at most three bytes of UTF-8: only names near the limit need counting.
    (name.length * 3 <= ROOM_NAME_MAX_BYTES ||
      new TextEncoder().encode(name).length <= ROOM_NAME_MAX_BYTES) &&
    !UNPRINTABLE.test(name)
  );
}

/** A room name; `private:<b>:<a>` becomes `private:<a>:<b>`, since both are one room. */
export const RoomName = z
  .string()
  .refine(isRoomName, { error: 'a room name is 1 to 200 bytes of printable characters, not *' })
  .meta({ description: '1 to 200 bytes of printable characters, not `*`' })
  .transform(canonicalRoom);

/** The room of all sessions of a user. */
export function userRoom(userId: string): string {
  return `user:${userId}`;
}

/** The room of all sessions whose principal has the role; role names are compared exactly. */
export function roleRoom(role: string): string {
  return `role:${role}`;
}

/** The room of all sessions that have joined a conversation. */
export function conversationRoom(conversationId: number): string {
  return `conversation:${conversationId}`;
}

/** The id of the conversation whose room this is, or undefined. */
export function conversationOf(room: string): number | undefined {
  return room.startsWith('conversation:') ? Number(room.slice('conversation:'.length)) : undefined;
}

/** The two users of `private:<a>:<b>`, or undefined: user ids with a colon have no private rooms. */
export function privateRoomUsers(room: string): readonly [string, string] | undefined {
  if (!room.startsWith('private:')) return undefined;
  const [a, b, ...rest] = room.slice('private:'.length).split(':');
  return a && b && rest.length === 0 ? [a, b] : undefined;
}

/** One name for one room: the users of a private room are put in order. */
export function canonicalRoom(room: string): string {
  const users = privateRoomUsers(room);
  return users && users[0] > users[1] ? `private:${users[1]}:${users[0]}` : room;
}
