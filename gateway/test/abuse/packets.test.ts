import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Raw } from '../raw.js';
import { tokenOf } from '../tokens.js';
import { closedOrAnswering, memory, startVictim, type Victim } from './victim.js';

const MALLORY = { id: 'mallory', username: 'Mallory' };
const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

/** Frames that no client sends, by what is wrong with them. */
const MALFORMED: [what: string, ...frames: (string | Buffer)[]][] = [
  // Engine.IO
  ['an empty frame', ''],
  ['an unknown Engine.IO type', '9'],
  ['text that is no packet', 'hello'],
  ['a second handshake', '0{"sid":"x"}'],
  ['a close', '1'],
  ['a ping of the server', '2'],
  ['a pong nobody asked for', '3'],
  ['a probe on an open WebSocket', '2probe'],
  ['an upgrade on an open WebSocket', '5'],
  ['a noop', '6'],
  ['bytes that belong to nothing', Buffer.from([1, 2, 3])],
  ['no bytes', Buffer.alloc(0)],
  // Socket.IO
  ['a packet without a type', '4'],
  ['an unknown Socket.IO type', '49'],
  ['a type that is no digit', '4{}'],
  ['an event without data', '42'],
  ['an event cut short', '42['],
  ['an event with half a string', '42["ping'],
  ['an event with a comma too many', '42["ping",]'],
  ['an event that is an object', '42{"ping":1}'],
  ['an event that is a string', '42"ping"'],
  ['an event that is null', '42null'],
  ['an event without a name', '42[]'],
  ['an event named by a number', '42[1]'],
  ['an event named by null', '42[null]'],
  ['an event named by an object', '42[{"a":1}]'],
  ['an event named by a list', '42[["ping"]]'],
  ['a reserved event: connect', '42["connect"]'],
  ['a reserved event: disconnect', '42["disconnect"]'],
  ['a reserved event: disconnecting', '42["disconnecting"]'],
  ['a reserved event: newListener', '42["newListener"]'],
  ['a reserved event: error', '42["error",{"message":"x"}]'],
  ['a reserved event: connected', '42["connected",{}]'],
  ['the name of a method', '42["constructor"]'],
  ['the name of a prototype', '42["__proto__",{}]'],
  ['an ack of nothing', '430[]'],
  ['an ack without an id', '43[]'],
  ['an ack without data', '430'],
  ['an ack that is no list', '430{"a":1}'],
  ['an ack id with a leading zero', '42007["ping"]'],
  ['an ack id beyond all numbers', `42${'9'.repeat(400)}["ping"]`],
  ['an ack id beyond safe numbers', '4299999999999999999999["ping"]'],
  ['a negative ack id', '42-1["ping"]'],
  ['a fraction as ack id', '421.5["ping"]'],
  ['a CONNECT_ERROR from a client', '44{"message":"x"}'],
  ['a CONNECT_ERROR without data', '44'],
  ['a second CONNECT without a token', '40'],
  ['a CONNECT with a list', '40[]'],
  ['a CONNECT with text', '40"token"'],
  ['a CONNECT with half an object', '40{"token":'],
  ['a CONNECT to a namespace that does not exist', '40/nowhere,'],
  ['a CONNECT to a namespace without an end', `40/${'a'.repeat(90_000)}`],
  ['an event to a namespace it is not in', '42/chat,["ping"]'],
  ['a disconnect of a namespace it is not in', '41/chat,'],
  // Binary
  ['a binary event without a count', '45["x"]'],
  ['a binary event with a negative count', '45-1-["x",{"_placeholder":true,"num":0}]'],
  ['a binary event with a count that is no number', '45x-["x"]'],
  ['attachments that never come', '451-["message",{"_placeholder":true,"num":0}]'],
  ['millions of attachments that never come', '459999999-["x",{"_placeholder":true,"num":0}]'],
  ['a placeholder out of range', '451-["x",{"_placeholder":true,"num":7}]', Buffer.from([1])],
  [
    'a placeholder that is no number',
    '451-["x",{"_placeholder":true,"num":"0"}]',
    Buffer.from([1]),
  ],
  ['a placeholder of nothing', '42["message",{"_placeholder":true,"num":0}]'],
  ['bytes as a message', '451-["message",{"_placeholder":true,"num":0}]', Buffer.from([1])],
  [
    'bytes inside a message',
    '451-["message",{"message":{"_placeholder":true,"num":0}}]',
    Buffer.from([1]),
  ],
  ['a binary ack of nothing', '461-0[{"_placeholder":true,"num":0}]', Buffer.from([1])],
  // Content
  ['deep lists', `42["message",{"message":${deep(40_000)}}]`],
  ['deep objects', `42["ping",${'{"a":'.repeat(15_000)}1${'}'.repeat(15_000)}]`],
  ['deep lists as arguments', `42["ping",${deep(40_000)}]`],
  ['a deep CONNECT', `40{"token":${deep(40_000)}}`],
  ['__proto__ in a payload', '42["join-room",{"__proto__":{"room":"x"},"room":"y"}]'],
  ['__proto__ as a payload', '42["join-room",{"__proto__":null}]'],
  [
    'constructor in a payload',
    '42["message",{"constructor":{"prototype":{"polluted":1}},"message":1}]',
  ],
  ['hundreds of arguments', `42["ping"${',{}'.repeat(10_000)}]`],
  ['an event name of 90 KB', `42["${'x'.repeat(90_000)}"]`],
];

describe.each([
  ['protocol 4', 4, {}],
  ['protocol 3', 3, { STREAMGATE_ALLOW_EIO3: 'true' }],
  ['protocol 4, refusals by event', 4, { STREAMGATE_AUTH_ERROR_EVENT: 'true' }],
] as const)('malformed packets: %s', (_name, eio, env) => {
  let victim: Victim;
  const raws: Raw[] = [];
  beforeAll(async () => {
    victim = await startVictim({ STREAMGATE_MAX_SESSIONS_PER_USER: '1000', ...env });
  });
  afterEach(() => {
    for (const raw of raws.splice(0)) raw.close();
  });
  afterAll(() => victim.stop());
  const keep = (raw: Raw) => (raws.push(raw), raw);

  test.for(MALFORMED)('%s', async ([, ...frames]) => {
    const { url } = victim.node;
    const session = keep(await Raw.session(url, MALLORY, eio));
    for (const frame of frames) session.send(frame);
    await closedOrAnswering(session);
    // The same before any session: closed, or a session can still be opened.
    const stranger = keep(await Raw.open(url, eio));
    for (const frame of frames) stranger.send(frame);
    stranger.send(`40${JSON.stringify({ token: await tokenOf(MALLORY) })}`);
    await Promise.race([stranger.closed, stranger.next('4').catch(() => stranger.closed)]);
    // And right behind a token that is refused.
    const refused = keep(await Raw.open(url, eio));
    refused.send('40{"token":"nonsense"}');
    for (const frame of frames) refused.send(frame);
    await Promise.race([refused.closed, refused.next('4').catch(() => refused.closed)]);
    await victim.unharmed();
  });
});

describe('packets that cost', () => {
  let victim: Victim;
  const raws: Raw[] = [];
  beforeAll(async () => {
    victim = await startVictim();
  });
  afterEach(() => {
    for (const raw of raws.splice(0)) raw.close();
  });
  afterAll(() => victim.stop());
  const keep = (raw: Raw) => (raws.push(raw), raw);

  test('a known event with content that is too deep is refused, not answered in kind', async () => {
    const session = keep(await Raw.session(victim.node.url, MALLORY));
    session.send(`425["message",{"message":${deep(40_000)}}]`);
    expect(await session.next('435')).toContain('"code":"invalid_payload"');
    await victim.unharmed();
  });

  test('nobody got a property from __proto__', async () => {
    const session = keep(await Raw.session(victim.node.url, MALLORY));
    session.send('421["join-room",{"__proto__":{"room":"smuggled"}}]');
    expect(await session.next('431')).toContain('"code":"invalid_payload"');
    for (const room of ['__proto__', 'constructor', 'toString']) {
      session.send(`422["join-room",{"room":"${room}"}]`);
      expect(await session.next('432')).toContain(`"room":"${room}"`);
    }
    await victim.unharmed();
  });

  test('roles and ids named like properties of objects are listed', async () => {
    const person = { id: '__proto__', username: 'constructor', roles: ['__proto__', 'toString'] };
    const session = keep(await Raw.session(victim.node.url, person));
    const { data } = await victim.neighbour.ask('get-users-stats');
    expect(Object.entries(data.usersByRole)).toEqual(
      expect.arrayContaining([
        ['__proto__', 1],
        ['toString', 1],
      ]),
    );
    const users = (await victim.neighbour.ask('get-active-users')).data.users;
    expect(users.map((user: { id: string }) => user.id)).toContain('__proto__');
    session.close();
  });

  test.for([
    ['text', 'x'.repeat(110 * 1024)],
    ['bytes', Buffer.alloc(110 * 1024)],
  ] as const)('a frame above the payload limit is not read: %s', async ([, frame]) => {
    const session = keep(await Raw.session(victim.node.url, MALLORY));
    session.send(frame);
    expect(await session.closed).toBe(1009);
    await victim.unharmed();
  });

  test('guessing tokens on one connection comes to an end', async () => {
    const raw = keep(await Raw.open(victim.node.url));
    let refused = 0;
    while (raw.open && refused < 100) {
      raw.send(`40{"token":"guess-${refused}"}`);
      if (await raw.next('44').catch(() => undefined)) refused++;
    }
    expect(raw.open).toBe(false);
    expect(refused).toBeLessThan(20);
    await victim.unharmed();
  });

  test('attachments without end are cut off, and cost no memory', async () => {
    const before = await memory(victim.node);
    const session = keep(await Raw.session(victim.node.url, MALLORY));
    session.send('459999999-["x",{"_placeholder":true,"num":0}]');
    const attachment = Buffer.alloc(90 * 1024);
    for (let sent = 0; sent < 1000 && session.open; sent++) {
      session.send(attachment);
      if (sent % 20 === 0) await new Promise(setImmediate);
    }
    await session.closed;
    expect((await memory(victim.node)) - before).toBeLessThan(64 * 1024 * 1024);
    await victim.unharmed();
  });
});
