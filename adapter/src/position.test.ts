import { describe, expect, it } from 'vitest';
import { WHOLE, compareIds, following, formatPosition, parsePosition } from './position.js';

describe('a position', () => {
  it.each([
    ['83920174650.1795255520646-0.3', { node: '83920174650', id: '1795255520646-0', index: 3 }],
    ['83920174650.1795255520646-12', { node: '83920174650', id: '1795255520646-12', index: WHOLE }],
  ])('%s is read and written', (text, position) => {
    expect(parsePosition(text)).toEqual(position);
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
  ])('%j is nothing that a node wrote', (text) => {
    expect(parsePosition(text)).toBeUndefined();
  });

  it('compares ids as numbers, not as text', () => {
    const ids = ['10-0', '9-10', '9-9', '9-0'];
    expect(ids.sort(compareIds)).toEqual(['9-0', '9-9', '9-10', '10-0']);
    expect(compareIds('9-9', '9-9')).toBe(0);
    expect(following('9-9')).toBe('9-10');
  });
});
