import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Principal } from '@streamgate/protocol/principal';
import { RoomRules } from '@streamgate/protocol/room-rules';
import { canonicalRoom } from '@streamgate/protocol/rooms';
import { decideJoin, decideLeave, decideRelocation, decideSpeak } from './access.js';

function principal(userId: string, claims: Record<string, unknown> = {}): Principal {
  const roles = (claims.roles ?? []) as string[];
  return { userId, username: userId, roles, claims, expiresAt: undefined };
}

describe('the example of docs/rooms.md', () => {
  const page = readFileSync(new URL('../../../docs/rooms.md', import.meta.url), 'utf8');
  const rules = RoomRules.parse(/```json\n([^`]*)```/.exec(page)?.[1]);
  const rows = [
    ...page.matchAll(/^\| (\w+) +\| `(\{.*\})` +\| `(\S+)` +\| (allowed|forbidden) +\|$/gm),
  ];

  test('is all read', () => {
    expect(rules).toHaveLength(7);
    expect(rows).toHaveLength(page.match(/\| (allowed|forbidden) +\|$/gm)?.length ?? 0);
    expect(rows.length).toBeGreaterThan(20);
  });

  test.each(rows.map(([, ...cells]) => cells))(
    '%s with %s in %s: %s',
    (user, claims, room, verdict) => {
      const who = principal(user ?? '', JSON.parse(claims ?? '') as Record<string, unknown>);
      expect(decideJoin(rules, who, canonicalRoom(room ?? ''))).toBe(verdict);
    },
  );
});

describe('without rules', () => {
  test.each([
    ['general', 'allowed'],
    ['course:7', 'allowed'],
    ['users:42', 'allowed'],
    ['user:', 'forbidden'],
    ['user:auth0|42', 'forbidden'],
    ['private:42:7', 'allowed'],
    ['private:7:42', 'allowed'],
    ['private:42:42', 'allowed'],
    ['private:7:8', 'forbidden'],
    ['private:42', 'forbidden'],
    ['private:42:7:8', 'forbidden'],
    ['private::42', 'forbidden'],
    ['private:', 'forbidden'],
  ])('%s: %s', (room, verdict) => {
    expect(decideJoin([], principal('42'), canonicalRoom(room))).toBe(verdict);
  });
});

describe('rules', () => {
  test.each(['user:7', 'role:admin', 'conversation:1', 'private:7:8'])('cannot open %s', (room) => {
    const rules = [{ rooms: '*', allow: 'anyone' }] as const;
    expect(decideJoin(rules, principal('42', { roles: ['admin'] }), room)).toBe('forbidden');
  });

  test('cannot close a private room to its users', () => {
    const rules = [{ rooms: '*', allow: 'no one' }] as const;
    expect(decideJoin(rules, principal('7'), 'private:7:8')).toBe('allowed');
  });

  test.each([
    { contains: '$2', claim: [''], verdict: 'forbidden', why: 'no second star' },
    { contains: '$1', claim: ['$1'], verdict: 'forbidden', why: 'not the template itself' },
    { contains: 'x$1x', claim: ['x7x'], verdict: 'allowed', why: 'text around' },
    { contains: '$1$1', claim: '77', verdict: 'allowed', why: 'twice' },
    { contains: '$1', claim: { 7: true }, verdict: 'forbidden', why: 'an object is no list' },
    { contains: '$1', claim: [['7']], verdict: 'forbidden', why: 'no list in a list' },
    { contains: '$1', claim: null, verdict: 'forbidden', why: 'null' },
    { contains: '$1', claim: undefined, verdict: 'forbidden', why: 'no claim' },
  ] as const)('contains $contains of $claim: $verdict ($why)', ({ contains, claim, verdict }) => {
    const rules = [{ rooms: 'course:*', allow: { claim: 'courses', contains } }];
    expect(decideJoin(rules, principal('42', { courses: claim }), 'course:7')).toBe(verdict);
  });

  test('do not put what a name says into the template again', () => {
    const rules = [{ rooms: 'a:*:*', allow: { claim: 'c', contains: '$1' } }];
    expect(decideJoin(rules, principal('42', { c: ['secret'] }), 'a:$2:secret')).toBe('forbidden');
  });
});

test.each([
  ['general', true, 'allowed'],
  ['general', false, 'not_in_room'],
  ['private:42:7', true, 'allowed'],
  ['private:42:7', false, 'not_in_room'],
  ['user:42', true, 'forbidden'],
  ['role:admin', true, 'forbidden'],
  ['conversation:1', true, 'forbidden'],
] as const)('speaking in %s, member %s: %s', (room, member, verdict) => {
  expect(decideSpeak(room, member)).toBe(verdict);
});

test.each([
  ['general', 'allowed', 'allowed'],
  ['private:42:7', 'allowed', 'forbidden'],
  ['user:42', 'forbidden', 'forbidden'],
  ['role:admin', 'forbidden', 'forbidden'],
  ['conversation:1', 'forbidden', 'forbidden'],
] as const)('%s: a client leaves %s, a service relocates %s', (room, leave, relocation) => {
  expect(decideLeave(room)).toBe(leave);
  expect(decideRelocation(room)).toBe(relocation);
});
