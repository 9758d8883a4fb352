/**
 * Rooms carry a prefix inside Socket.IO, where every session is also a room named by its id: so no
 * room name can equal a session id (ids are base64url, which has no colon).
 */
const PREFIX = 'r:';

export function roomKey(room: string): string {
  return PREFIX + room;
}

/** The room's name, or undefined for a session's own room. */
export function roomName(key: string): string | undefined {
  return key.startsWith(PREFIX) ? key.slice(PREFIX.length) : undefined;
}
