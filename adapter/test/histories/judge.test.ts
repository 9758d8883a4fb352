import { describe, expect, test } from 'vitest';
import { type Known, type Life, judge, key } from './judge.ts';

/** Events of two writers in room 0. */
const a = (number: number) => key(1, 0, number);
const b = (number: number) => key(2, 0, number);

function life(received: number[], more: Partial<Life> = {}): Life {
  const phases = received.map(() => 0);
  return { rooms: new Set([0]), received, phases, owedFrom: 9, story: [], atEnd: false, ...more };
}

function verdict(lives: Life[], more: Partial<Known> = {}) {
  const arrival = new Map<number, number>();
  for (const { received } of lives)
    for (const event of received) if (!arrival.has(event)) arrival.set(event, arrival.size);
  const known = {
    accepted: new Set<number>(),
    locally: new Set<number>(),
    elsewhere: new Set<number>(),
    arrival,
    ...more,
  };
  const { lost, doubled, outOfOrder } = judge(lives, known, 1)[0]!;
  return { lost, doubled, outOfOrder };
}

const clean = { lost: 0, doubled: 0, outOfOrder: 0 };

describe('judging', () => {
  test('finds nothing wrong with what is right', () => {
    expect(verdict([life([a(0), b(0), a(1)]), life([a(0), b(0), a(1), b(1)])])).toEqual(clean);
  });

  test('finds what somebody else received', () => {
    const all = life([a(0), a(1), a(2)]);
    expect(verdict([all, life([a(0), a(2)])])).toEqual({ ...clean, lost: 1 });
  });

  test('finds what Redis accepted', () => {
    const accepted = new Set([a(1)]);
    expect(verdict([life([a(0), a(2)])], { accepted })).toEqual({ ...clean, lost: 1 });
    expect(verdict([life([a(0), a(2)])])).toEqual(clean);
  });

  test('owes a session nothing from before it came', () => {
    expect(verdict([life([a(0), a(1), a(2)]), life([a(2)])])).toEqual(clean);
  });

  test('owes it all of a writer that began later', () => {
    const all = life([a(0), a(1)]);
    expect(verdict([all, life([a(1)], { owedFrom: 1 })])).toEqual({ ...clean, lost: 1 });
  });

  test('owes the last events to who is there at the end', () => {
    const all = life([a(0), a(1), b(0)]);
    expect(verdict([all, life([a(0)])])).toEqual(clean);
    expect(verdict([all, life([a(0)], { atEnd: true })])).toEqual({ ...clean, lost: 1 });
    expect(verdict([all, life([a(0)], { atEnd: true, owedFrom: 0 })])).toEqual({
      ...clean,
      lost: 2,
    });
    expect(verdict([all, life([], { atEnd: true, owedFrom: 0, rooms: new Set([1]) })])).toEqual(
      clean,
    );
  });

  test('owes nobody else what was delivered locally', () => {
    const locally = new Set([a(1)]);
    expect(verdict([life([a(0), a(1), a(2)]), life([a(0), a(2)])], { locally })).toEqual(clean);
  });

  test('owes everybody what was delivered locally and taken by Redis nevertheless', () => {
    const more = { locally: new Set([a(1)]), elsewhere: new Set([a(1)]) };
    expect(verdict([life([a(0), a(1), a(2)]), life([a(0), a(2)])], more)).toEqual({
      ...clean,
      lost: 1,
    });
  });

  test('finds doubles', () => {
    expect(verdict([life([a(0), a(1), a(0), a(1), a(2)])])).toEqual({ ...clean, doubled: 2 });
  });

  test("finds a writer's events out of order", () => {
    expect(verdict([life([a(0), a(2), a(1)])])).toEqual({ ...clean, outOfOrder: 1 });
  });

  test('finds two orders of the same events', () => {
    expect(verdict([life([a(0), b(0)]), life([b(0), a(0)])])).toEqual({ ...clean, outOfOrder: 1 });
  });
});
