import { expect, test } from 'vitest';
import { matchGlob } from './glob.js';

test.each<[string, string, string[] | undefined]>([
  ['general', 'general', []],
  ['general', 'generally', undefined],
  ['*', 'anything at all', ['anything at all']],
  ['course:*', 'course:7', ['7']],
  ['course:*', 'course:', ['']],
  ['course:*', 'a-course:7', undefined],
  ['*:staff', 'school:staff', ['school']],
  ['*:staff', 'school:staffroom', undefined],
  ['team:*:doc:*', 'team:red:doc:9', ['red', '9']],
  ['team:*:doc:*', 'team:red:doc:a:doc:b', ['red', 'a:doc:b']],
  ['team:*:*', 'team:red', undefined],
  ['a*a', 'a', undefined],
  ['a*a', 'aa', ['']],
  ['**', 'ab', ['', 'ab']],
  ['course.*', 'courseX7', undefined],
])('%s on %s', (pattern, text, stars) => {
  expect(matchGlob(pattern, text)).toEqual(stars);
});

test('a pattern of many stars on a name that almost matches stays quick', () => {
  const started = performance.now();
  expect(matchGlob('*a'.repeat(100), `${'a'.repeat(199)}b`)).toBeUndefined();
  expect(performance.now() - started).toBeLessThan(50);
});
