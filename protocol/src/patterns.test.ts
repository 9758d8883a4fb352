import { describe, expect, test } from 'vitest';
import { GatewayError } from './errors.js';
import { commandOfPattern, type Pattern } from './patterns.js';

const data = { quizId: 7 };

describe('document 1', () => {
  test.each<[Pattern, object, unknown]>([
    ['ws:emit:user', { userId: 'ann' }, ['user:ann']],
    ['ws:emit:user', { userId: 42 }, ['user:42']],
    ['ws:emit:users', { userIds: ['ann', 7] }, ['user:ann', 'user:7']],
    ['ws:broadcast', {}, '*'],
    ['ws:emit:room', { room: 'quiz:7' }, ['quiz:7']],
    ['ws:emit:room', { room: '*' }, ['*']],
  ])('%s %j addresses %j', (pattern, address, to) => {
    expect(commandOfPattern(pattern, { ...address, event: 'quiz:created', data })).toEqual({
      action: 'emit',
      to,
      event: 'quiz:created',
      args: [data],
    });
  });

  test('an event without data has no argument', () => {
    expect(commandOfPattern('ws:broadcast', { event: 'hi' })).toMatchObject({ args: [] });
  });

  test('further fields of the contract are taken', () => {
    const payload = { userId: 'ann', event: 'hi', id: '1', source: 'quiz', ttl: 5, durable: true };
    expect(commandOfPattern('ws:emit:user', payload)).toMatchObject({
      id: '1',
      source: 'quiz',
      ttl: 5,
      durable: true,
    });
  });

  test.each<[string, Pattern, unknown, string]>([
    ['nothing', 'ws:emit:user', undefined, 'invalid_payload'],
    ['a list', 'ws:broadcast', [], 'invalid_payload'],
    ['no user', 'ws:emit:user', { event: 'hi' }, 'invalid_payload'],
    ['no users', 'ws:emit:users', { event: 'hi', userIds: 'ann' }, 'invalid_payload'],
    ['no room', 'ws:emit:room', { event: 'hi', room: 7 }, 'invalid_payload'],
    ['a field of nobody', 'ws:broadcast', { event: 'hi', colour: 1 }, 'unknown_field'],
    ['another address', 'ws:emit:user', { userId: 'a', event: 'hi', to: '*' }, 'unknown_field'],
    ['another action', 'ws:broadcast', { action: 'disconnect' }, 'unknown_field'],
  ])('%s is refused', (_, pattern, payload, code) => {
    let thrown: unknown;
    try {
      commandOfPattern(pattern, payload);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(GatewayError);
    expect(thrown).toMatchObject({ code });
  });
});
