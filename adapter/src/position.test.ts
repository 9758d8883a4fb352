import { describe, expect, it } from 'vitest';
import { WHOLE, compareIds, following, formatPosition, parsePosition } from './position.js';

const ms = 1795255520646;

describe('a position', () => {
  it.each([
    [`83920174650.${ms}-0.3`, [{ id: `${ms}-0`, index: 3 }]],
    [`83920174650.${ms}-12`, [{ id: `${ms}-12`, index: WHOLE }]],
    [
      '83920174650.mwq8s96u-0.mwq8s96v-10+2.0-0',
      [
        { id: `${ms}-0`, index: WHOLE },
        { id: `${ms + 1}-36`, index: 2 },
        { id: '0-0', index: WHOLE },
      ],
    ],
  ])('%s is read and written', (text, places) => {
    const position = { node: '83920174650', places };
    expect(parsePosition(text, places.length)).toEqual(position);
    expect(formatPosition(position)).toBe(text);
  });

  it.each([
    '',
    '$',
    '1795255520646-0',
    'a.1-0',
    '1.1',
    '1.1-0.',
    '1.1-0.x',
    `1.${'1'.repeat(99)}-0`,
    '1.1-0.1-0',
  ])('%j is nothing that a node with one shard wrote', (text) => {
    expect(parsePosition(text, 1)).toBeUndefined();
  });

  it.each([
    '',
    '..',
    '1.1-0',
    '1.1-0.3',
    '1.1-0.1-0.1-0',
    '1.1-0.1-0.',
    '1.1-0.1-0+',
    '1.1-0.1-A',
    'x.1-0.1-0',
    `1.1-0.${'1'.repeat(99)}-0`,
  ])('%j is nothing that a node with two shards wrote', (text) => {
    expect(parsePosition(text, 2)).toBeUndefined();
  });

  it('compares ids as numbers, not as text', () => {
    const ids = ['10-0', '9-10', '9-9', '9-0'];
    expect(ids.sort(compareIds)).toEqual(['9-0', '9-9', '9-10', '10-0']);
    expect(compareIds('9-9', '9-9')).toBe(0);
    expect(following('9-9')).toBe('9-10');
  });
});
