import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { addressKey, clientAddresses } from './address.js';

const request = (remoteAddress: string | undefined, forwarded?: string) =>
  ({
    socket: { remoteAddress },
    headers: { 'x-forwarded-for': forwarded },
  }) as unknown as IncomingMessage;

describe('client address', () => {
  test.each([
    ['nobody is trusted', [], '10.0.0.1', '1.2.3.4', '10.0.0.1'],
    ['no header', ['loopback'], '127.0.0.1', undefined, '127.0.0.1'],
    ['one proxy', ['10.0.0.0/8'], '10.0.0.1', '1.2.3.4', '1.2.3.4'],
    ['two proxies', ['10.0.0.0/8'], '10.0.0.1', '1.2.3.4, 10.0.0.2', '1.2.3.4'],
    ['a client that lies', ['10.0.0.0/8'], '10.0.0.1', '8.8.8.8, 1.2.3.4', '1.2.3.4'],
    ['a sender that is no proxy', ['10.0.0.0/8'], '1.2.3.4', '8.8.8.8', '1.2.3.4'],
    ['only proxies', ['uniquelocal'], '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['a mapped address', ['loopback'], '::ffff:127.0.0.1', '::ffff:1.2.3.4', '1.2.3.4'],
    ['ports', ['loopback'], '::1', '1.2.3.4:999', '1.2.3.4'],
    ['ports after IPv6', ['loopback'], '::1', '[2001:db8::1]:999', '2001:db8::1'],
    ['garbage', ['loopback'], '::1', 'unknown', '::1'],
    ['garbage behind a proxy', ['uniquelocal'], '10.0.0.1', '<x>, 10.0.0.2', '10.0.0.2'],
    ['odd forms of numbers', ['loopback'], '127.0.0.1', '0x7f.1', '127.0.0.1'],
    ['an empty header', ['loopback'], '127.0.0.1', ' , ,', '127.0.0.1'],
    [
      'a very long header',
      ['loopback'],
      '127.0.0.1',
      `${'1.1.1.1,'.repeat(5000)}2.2.2.2`,
      '2.2.2.2',
    ],
    ['a socket that is gone', ['loopback'], undefined, '1.2.3.4', ''],
  ])('%s', (_, trusted, remote, forwarded, address) => {
    expect(clientAddresses(trusted)(request(remote, forwarded))).toBe(address);
  });

  test('a wrong setting is named', () => {
    expect(() => clientAddresses(['10.0.0.0/99'])).toThrow('STREAMGATE_TRUSTED_PROXIES');
  });
});

test.each([
  ['1.2.3.4', '1.2.3.4'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
])('%s counts as %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});
