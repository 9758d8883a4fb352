import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { portOf } from '../proxy.js';
import { SERVICE } from '../rest.js';
import { tokenOf } from '../tokens.js';
import { startVictim, type Victim } from './victim.js';

describe('HTTP that no client sends', () => {
  let victim: Victim;
  beforeAll(async () => {
    victim = await startVictim();
  });
  afterAll(() => victim.stop());

  /** What comes back for raw bytes, until the other side closes. */
  async function raw(text: string): Promise<string> {
    const socket = connect(portOf(victim.node.url), '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    // Refused while it still writes.
    socket.on('error', () => undefined);
    socket.write(text);
    await new Promise((resolve) => socket.once('close', resolve));
    return answer;
  }
  const head = 'Host: x\r\nConnection: close\r\n';

  test.for([
    ['no HTTP at all', '\u0000\u0001\u0002\r\n\r\n', /^HTTP\/1.1 400/],
    ['no transport', `GET /socket.io/?EIO=4 HTTP/1.1\r\n${head}\r\n`, /^HTTP\/1.1 400/],
    [
      'an unknown transport',
      `GET /socket.io/?EIO=4&transport=carrier-pigeon HTTP/1.1\r\n${head}\r\n`,
      /^HTTP\/1.1 400/,
    ],
    [
      'a transport named like a property',
      `GET /socket.io/?EIO=4&transport=__proto__ HTTP/1.1\r\n${head}\r\n`,
      /^HTTP\/1.1 400/,
    ],
    [
      'an old protocol that is not allowed',
      `GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\n${head}\r\n`,
      /^HTTP\/1.1 400/,
    ],
    [
      'a session that does not exist',
      `GET /socket.io/?EIO=4&transport=polling&sid=nobody HTTP/1.1\r\n${head}\r\n`,
      /^HTTP\/1.1 400/,
    ],
    [
      'a handshake by POST',
      `POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n${head}Content-Length: 0\r\n\r\n`,
      /^HTTP\/1.1 400/,
    ],
    [
      'an upgrade of something else',
      'GET /elsewhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      /^(HTTP\/1.1 4\d\d|$)/,
    ],
    [
      'an upgrade without a key',
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      /^(HTTP\/1.1 4\d\d|$)/,
    ],
    ['a header without end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(100_000)}`, /^HTTP\/1.1 431/],
    ['a path of 60 KB', `GET /${'x'.repeat(60_000)} HTTP/1.1\r\n${head}\r\n`, /^HTTP\/1.1 4/],
  ] as const)('%s', async ([, text, answer]) => {
    expect(await raw(text)).toMatch(answer);
    await victim.unharmed();
  });

  describe('polling', () => {
    const url = () => `${victim.node.url}/socket.io/?EIO=4&transport=polling`;
    async function session(): Promise<string> {
      const answer = await (await fetch(url())).text();
      return `${url()}&sid=${(JSON.parse(answer.slice(1)) as { sid: string }).sid}`;
    }

    test.for([
      ['no body', '', [200, 400]],
      ['nonsense', 'hello', [200, 400]],
      ['thousands of packets', '42["ping"]\u001e'.repeat(5000), [200, 400]],
      ['thousands of separators', '\u001e'.repeat(50_000), [200, 400]],
      ['bytes that are no base64', 'b%%%%', [200, 400]],
    ] as const)('a body of %s', async ([, body, statuses]) => {
      const answer = await fetch(await session(), { method: 'POST', body });
      expect(statuses).toContain(answer.status);
      await victim.unharmed();
    });

    test('a body above the payload limit', async () => {
      const body = `4${'x'.repeat(110 * 1024)}`;
      const answer = await fetch(await session(), { method: 'POST', body }).catch(() => undefined);
      if (answer) expect(answer.status).toBe(413);
      await victim.unharmed();
    });

    test('two polls at once', async () => {
      const address = await session();
      const answers = await Promise.all(
        [1, 2, 3].map(() =>
          fetch(address, { signal: AbortSignal.timeout(2000) }).then(
            ({ status }) => status,
            () => 'aborted',
          ),
        ),
      );
      expect(answers).toContain(400);
      await victim.unharmed();
    });
  });

  describe('polling of protocol 3', () => {
    let old: Victim;
    beforeAll(async () => {
      old = await startVictim({ STREAMGATE_ALLOW_EIO3: 'true' });
    });
    afterAll(() => old.stop());

    async function session(query = ''): Promise<string> {
      const url = `${old.node.url}/socket.io/?EIO=3&transport=polling${query}`;
      const answer = await (await fetch(url)).text();
      return `${url}&sid=${/"sid":"([^"]+)"/.exec(answer.replaceAll('\\"', '"'))?.[1]}`;
    }

    test.for([
      ['no length', ':42["ping"]'],
      ['a length that is no number', 'x:42["ping"]'],
      ['a negative length', '-1:42["ping"]'],
      ['a length beyond the body', '99999999999:42["ping"]'],
      ['a length of nothing', '0:'],
      ['thousands of packets', '10:42["ping"]'.repeat(5000)],
      ['thousands of colons', ':'.repeat(50_000)],
      ['digits without end', '1'.repeat(90_000)],
    ] as const)('a body with %s', async ([, body]) => {
      const answer = await fetch(await session(), { method: 'POST', body });
      expect([200, 400]).toContain(answer.status);
      await old.unharmed();
    });

    test('bytes in its own framing', async () => {
      const headers = { 'content-type': 'application/octet-stream' };
      for (const bytes of [[], [0], [0, 1, 2, 255], [1, 255, 0, 0], [9, 9, 9, 9, 9], [0, 255]]) {
        const body = new Uint8Array(bytes);
        const answer = await fetch(await session(), { method: 'POST', headers, body });
        expect([200, 400]).toContain(answer.status);
      }
      await old.unharmed();
    });

    test.for(['&j=0', '&j=__proto__', '&j=x%22;alert(1)//', '&b64=1'])('%s', async (query) => {
      const url = await session(query);
      const answer = await fetch(url, { method: 'POST', body: 'd=1%3A2' });
      expect(answer.status).toBeLessThan(500);
      await old.unharmed();
    });
  });

  describe('the REST door', () => {
    async function post(body: string, headers: Record<string, string> = {}) {
      return fetch(`${victim.node.url}/api/gateway/send`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${await tokenOf(SERVICE)}`,
          'content-type': 'application/json',
          ...headers,
        },
        body,
      });
    }
    const send = (message: string) => `{"userId":"neighbour","event":"e","message":${message}}`;

    test.for([
      ['half a body', '{"userId":', 400],
      ['a body that is no object', '[]', 400],
      ['an empty body', '', 400],
      ['a deep body', send('['.repeat(40_000) + ']'.repeat(40_000)), 400],
      ['a body above the limit', send(`"${'x'.repeat(200 * 1024)}"`), 413],
      ['__proto__ in place of a field', '{"__proto__":{"userId":"neighbour"},"event":"e"}', 400],
      ['a reserved event', '{"userId":"neighbour","event":"disconnect","message":{}}', 400],
      ['an event name that is too long', `{"userId":"n","event":"${'e'.repeat(201)}"}`, 400],
    ] as const)('%s', async ([, body, status]) => {
      const answer = await post(body);
      expect(answer.status).toBe(status);
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      await victim.unharmed();
    });

    test('__proto__ in a message arrives as it was sent', async () => {
      expect((await post(send('{"__proto__":{"a":1},"b":2}'))).status).toBe(200);
      const heard = await victim.neighbour.next('e');
      expect(Object.keys(heard)).toEqual(['__proto__', 'b']);
      expect(heard.a).toBeUndefined();
    });

    test.for([
      ['a token of 20 KB', `Bearer ${'x'.repeat(20_000)}`],
      ['a scheme that is not ours', 'Basic YTpi'],
      ['two tokens', 'Bearer a b'],
    ] as const)('%s', async ([, authorization]) => {
      const answer = await post('{}', { authorization });
      expect([401, 431]).toContain(answer.status);
      await victim.unharmed();
    });
  });
});
