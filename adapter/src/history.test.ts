import { describe, expect, it } from 'vitest';
import { History, type Stay } from './history.js';
import { hashOf, roomKey } from './keys.js';
import { KIND, decode, encode } from './message.js';
import { WHOLE, whole } from './position.js';

function event(text: string, rooms: string[], except: string[] = []) {
  return decode(encode({ kind: KIND.event, namespace: '/', rooms, except, text }, 1, 1));
}

const START = { id: '0-0', index: WHOLE };

function found(
  history: History,
  rooms: Record<string, string | undefined>,
  after = START,
  to = '9-9',
) {
  const membership = Object.entries(rooms).map(
    ([room, since]) => [room, [since === undefined ? {} : { since: whole(since) }]] as const,
  );
  return history
    .between('/', new Map(membership), after, to)
    .map(({ message }) => message.text.toString());
}

describe('a history', () => {
  const history = new History(1e6);
  history.add({ id: '1-0', index: 0, message: event('one', ['a']) });
  history.add({ id: '1-0', index: 1, message: event('all', []) });
  history.add({ id: '2-0', index: 0, message: event('both', ['a', 'b']) });
  history.add({ id: '3-0', index: 0, message: event('not b', ['a'], ['b']) });
  history.add({ id: '4-0', index: 0, message: event('other', ['c']) });

  it('finds what is addressed to rooms or to all, once and in order', () => {
    expect(found(history, { b: undefined, a: undefined })).toEqual(['one', 'all', 'both']);
    expect(found(history, { a: undefined })).toEqual(['one', 'all', 'both', 'not b']);
    expect(found(history, {})).toEqual(['all']);
  });

  it('begins behind one event of an entry, and ends with an entry', () => {
    expect(found(history, { a: undefined }, { id: '1-0', index: 0 }, '2-0')).toEqual([
      'all',
      'both',
    ]);
    expect(found(history, { a: undefined }, { id: '1-0', index: WHOLE }, '2-0')).toEqual(['both']);
  });

  it('knows since when a session is in a room', () => {
    expect(found(history, { a: '2-0' })).toEqual(['all', 'not b']);
    expect(found(history, { a: undefined, b: '3-0' })).toContain('not b');
  });

  it('knows from where and up to where, within an entry too', () => {
    const texts = (stay: Stay) =>
      history
        .between('/', new Map([['a', [stay]]]), START, '9-9')
        .map(({ message }) => message.text.toString());
    expect(texts({ until: { id: '2-0', index: 0 } })).toEqual(['one', 'all']);
    expect(texts({ until: { id: '2-0', index: 1 } })).toEqual(['one', 'all', 'both']);
    expect(texts({ since: { id: '1-0', index: 0 }, until: whole('2-0') })).toEqual(['all', 'both']);
  });

  it('tells rooms apart whose keys have the same hash', () => {
    const [one, other] = ['plumless', 'buckeroo'] as const;
    expect(hashOf(roomKey('/', one))).toBe(hashOf(roomKey('/', other)));
    const alike = new History(1e6);
    alike.add({ id: '1-0', index: 0, message: event('one', [one]) });
    alike.add({ id: '2-0', index: 0, message: event('other', [other]) });
    expect(found(alike, { [one]: undefined })).toEqual(['one']);
    expect(found(alike, { [other]: undefined })).toEqual(['other']);
  });

  it('lets go of the oldest beyond its size or age, and says up to where', () => {
    const small = new History(event('x', ['a']).blob.length * 3);
    for (let number = 1; number <= 300; number++)
      small.add({ id: `${number}-0`, index: 0, message: event('x', ['a']) });
    expect(found(small, { a: undefined }, START, '999-0')).toHaveLength(3);
    expect(small.dropped).toBe('297-0');
    small.expire(300);
    expect(found(small, { a: undefined }, START, '999-0')).toHaveLength(1);
    expect(small.dropped).toBe('299-0');
  });

  it('keeps an entry, and lets it go, whole', () => {
    const { length } = event('00', ['a']);
    const many = new History(length * 640);
    for (let entry = 1; entry <= 100; entry++)
      for (let index = 0; index < 25; index++)
        many.add({ id: `${entry}-0`, index, message: event(`${index}`.padStart(2, '0'), ['a']) });
    const first = Number.parseInt(many.dropped!, 10) + 1;
    expect(found(many, { a: undefined }, START, '999-0')).toHaveLength((101 - first) * 25);
    const after = { id: `${first}-0`, index: 22 };
    expect(found(many, { a: undefined }, after, `${first + 1}-0`).slice(0, 4)).toEqual([
      '23',
      '24',
      '00',
      '01',
    ]);
  });
});
