import { describe, expect, test } from 'vitest';
import { backoff, redisOptions } from './redis-options.js';

describe('redisOptions', () => {
  test.each([
    ['redis://cache', { host: 'cache', port: 6379, db: 0 }],
    ['redis://cache:7000/5', { host: 'cache', port: 7000, db: 5 }],
    ['redis://:p%40ss@cache', { password: 'p@ss', host: 'cache' }],
    ['redis://me:p%3Aw@cache/1', { username: 'me', password: 'p:w', db: 1 }],
    ['redis://[::1]:7000', { host: '::1', port: 7000 }],
    ['rediss://cache', { host: 'cache', tls: {} }],
    [
      'redis+sentinel://a:1,b/main',
      {
        sentinels: [
          { host: 'a', port: 1 },
          { host: 'b', port: 26_379 },
        ],
        name: 'main',
        db: 0,
      },
    ],
    [
      'redis+sentinel://me:p%2Fw@[::1]:5/main/2',
      {
        sentinels: [{ host: '::1', port: 5 }],
        name: 'main',
        db: 2,
        username: 'me',
        password: 'p/w',
      },
    ],
    ['redis+sentinel://:pw@a:1/main/', { password: 'pw', name: 'main' }],
    ['rediss+sentinel://a:1/main', { tls: {}, enableTLSForSentinelMode: true }],
  ])('reads %s', (url, expected) => {
    expect(redisOptions(url, 'command')).toMatchObject(expected);
  });

  test('has no TLS and no credentials unless asked for', () => {
    const options = redisOptions('redis://cache', 'command');
    for (const name of ['tls', 'username', 'password']) expect(options).not.toHaveProperty(name);
  });

  test('neither queues nor repeats commands; subscriptions wait for the connection', () => {
    for (const purpose of ['command', 'reader'] as const)
      expect(redisOptions('redis://cache', purpose)).toMatchObject({
        enableOfflineQueue: false,
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
      });
    const subscriber = redisOptions('redis://cache', 'subscriber');
    expect(subscriber.maxRetriesPerRequest).toBeNull();
    expect(subscriber).not.toHaveProperty('enableOfflineQueue');
  });
});

test('backoff grows to its limit, spread by half', () => {
  for (let attempt = 1; attempt < 40; attempt++) {
    const longest = Math.min(2000, 50 * 2 ** (attempt - 1));
    for (let time = 0; time < 20; time++) {
      expect(backoff(attempt)).toBeGreaterThanOrEqual(longest / 2);
      expect(backoff(attempt)).toBeLessThanOrEqual(longest);
    }
  }
});
