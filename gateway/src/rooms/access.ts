import { claimAt } from '@streamgate/protocol/claims';
import { hasRole, type Principal } from '@streamgate/protocol/principal';
import type { RoomRule } from '@streamgate/protocol/room-rules';
import { privateRoomUsers } from '@streamgate/protocol/rooms';
import { matchGlob } from './glob.js';

/** Every decision to let somebody into a room or not; pure, first match decides. */

export type Verdict = 'allowed' | 'forbidden';

type Policy = (
  rules: readonly RoomRule[],
  principal: Principal,
  room: string,
) => Verdict | undefined;

const JOIN_POLICIES: readonly Policy[] = [serverOnly, privateRoom, configured];

/** Whether a client may join the room by itself. The name is canonical (`RoomName`). */
export function decideJoin(
  rules: readonly RoomRule[],
  principal: Principal,
  room: string,
): Verdict {
  for (const policy of JOIN_POLICIES) {
    const verdict = policy(rules, principal, room);
    if (verdict) return verdict;
  }
  return 'allowed';
}

/** Whether a client may leave the room by itself; it need not be in it. */
export function decideLeave(room: string): Verdict {
  return isServerRoom(room) ? 'forbidden' : 'allowed';
}

/** Whether a client may speak or type in the room. */
export function decideSpeak(room: string, member: boolean): Verdict | 'not_in_room' {
  if (isServerRoom(room)) return 'forbidden';
  return member ? 'allowed' : 'not_in_room';
}

/** Whether a service may make users join or leave the room: rules are for clients only. */
export function decideRelocation(room: string): Verdict {
  return isServerRoom(room) || room.startsWith('private:') ? 'forbidden' : 'allowed';
}

/** Rooms that sessions join by who they are, not by asking. */
export function isServerRoom(room: string): boolean {
  return room.startsWith('user:') || room.startsWith('role:') || room.startsWith('conversation:');
}

function serverOnly(_rules: readonly RoomRule[], _principal: Principal, room: string) {
  return isServerRoom(room) ? 'forbidden' : undefined;
}

function privateRoom(_rules: readonly RoomRule[], principal: Principal, room: string) {
  if (!room.startsWith('private:')) return undefined;
  return privateRoomUsers(room)?.includes(principal.userId) ? 'allowed' : 'forbidden';
}

function configured(rules: readonly RoomRule[], principal: Principal, room: string) {
  for (const rule of rules) {
    const stars = matchGlob(rule.rooms, room);
    if (stars) return admits(rule.allow, principal, stars) ? 'allowed' : 'forbidden';
  }
  return undefined;
}

function admits(allow: RoomRule['allow'], principal: Principal, stars: readonly string[]): boolean {
  if (allow === 'anyone') return true;
  // A service brings users in by its join, which asks no rule; a client is refused whoever it is.
  if (allow === 'no one' || allow === 'service') return false;
  if ('roles' in allow) return hasRole(principal, allow.roles);
  return contains(claimAt(principal.claims, allow.claim), allow.contains, stars);
}

function contains(claim: unknown, template: string, stars: readonly string[]): boolean {
  let known = true;
  const wanted = template.replace(/\$([1-9])/g, (_, number: string) => {
    const star = stars[Number(number) - 1];
    known &&= star !== undefined;
    return star ?? '';
  });
  const values: unknown[] = Array.isArray(claim) ? claim : [claim];
  return (
    known && values.some((value) => (typeof value === 'number' ? String(value) : value) === wanted)
  );
}
