import { CLIENT_EVENTS } from '@streamgate/protocol/client-events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client, connect } from '../client.js';
import { ALICE, BOB, timestamp } from '../cluster.js';
import { startNode, type TestNode } from '../node.js';
import { Raw } from '../raw.js';
import { tokenOf } from '../tokens.js';

/** A payload that each event accepts. */
const good: Record<keyof typeof CLIENT_EVENTS, () => unknown> = {
  ping: () => ({}),
  message: () => ({ message: 'x' }),
  'get-active-users': () => undefined,
  'get-users-stats': () => undefined,
  'send-message': () => ({ message: 'x' }),
  'join-room': () => ({ room: 'answers' }),
  join_room: () => ({ room: 'answers' }),
  'room-message': () => ({ room: 'answers', message: 'x' }),
  typing_start: () => ({ room: 'answers' }),
  typing_stop: () => ({ room: 'answers' }),
  'leave-room': () => ({ room: 'answers' }),
  leave_room: () => ({ room: 'answers' }),
  'refresh-token': () => ({ token: '' }),
};

describe('answers', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await startNode({ STREAMGATE_ROOMS_PER_SESSION: '3' });
  });
  afterAll(() => node.stop());

  describe('an ack is answered exactly once', () => {
    let raw: Raw;
    let token: string;
    beforeAll(async () => {
      raw = await Raw.session(node.url, ALICE);
      token = await tokenOf(ALICE);
    });
    afterAll(() => raw.close());

    /** All answers to the ack id, up to the answer of a ping sent after it. */
    async function answersTo(id: number, packet: unknown[]): Promise<unknown[]> {
      raw.send(`42${id}${JSON.stringify(packet)}`);
      await raw.next(`43${id}[`).then((frame) => raw.frames.unshift(frame));
      await raw.answers();
      const answers = raw.frames.filter((frame) => String(frame).startsWith(`43${id}[`));
      return answers.map((frame) => JSON.parse(String(frame).slice(`43${id}`.length)) as unknown);
    }

    let id = 0;
    test.for(Object.keys(good) as (keyof typeof good)[])('`%s` that succeeds', async (event) => {
      const payload = event === 'refresh-token' ? { token } : good[event]();
      const packet = payload === undefined ? [event] : [event, payload];
      expect(await answersTo(++id, packet)).toEqual([[{ data: expect.anything() as unknown }]]);
    });

    test.for(Object.keys(good).filter((event) => event !== 'ping'))(
      '`%s` with a bad payload',
      async (event) => {
        const [[answer]] = (await answersTo(++id, [event, 'secret-of-the-client'])) as [[unknown]];
        expect(answer).toEqual({
          error: {
            message: expect.stringMatching(/^Invalid payload/) as string,
            code: 'invalid_payload',
            retryable: false,
          },
        });
        expect(JSON.stringify(answer)).not.toContain('secret-of-the-client');
      },
    );

    test('an unknown event', async () => {
      expect(await answersTo(++id, ['no-such-event'])).toEqual([
        [{ error: { message: 'Unknown event', code: 'unknown_event', retryable: false } }],
      ]);
    });

    test('the event without an ack is answered by its event only', async () => {
      raw.frames.length = 0;
      raw.send('42["ping"]');
      expect(JSON.parse((await raw.next('42')).slice(2))).toEqual(['pong', { timestamp }]);
    });
  });

  describe('errors', () => {
    test('an unknown event is told once by name and session, its ack every time', async () => {
      const { client } = await connect(node.url, ALICE);
      for (let time = 0; time < 3; time++)
        expect(await client.ask('unheard-of')).toMatchObject({ error: { code: 'unknown_event' } });
      await client.ask('another');
      await client.ask('ping');
      expect(client.all('error')).toEqual([
        { message: 'Unknown event', code: 'unknown_event', retryable: false },
        { message: 'Unknown event', code: 'unknown_event', retryable: false },
      ]);
      client.close();
    });

    test('a failure also emits `error` with the same fields and the event', async () => {
      const { client } = await connect(node.url, ALICE);
      const { error } = await client.ask('room-message', { room: 'elsewhere', message: 'x' });
      expect(await client.next('error')).toEqual({ ...error, event: 'room-message' });
      client.close();
    });

    test('too many rooms', async () => {
      const { client } = await connect(node.url, ALICE);
      for (const room of ['a', 'b', 'c'])
        expect(await client.ask('join-room', { room })).toHaveProperty('data');
      expect(await client.ask('join-room', { room: 'd' })).toMatchObject({
        error: { code: 'too_many_rooms' },
      });
      await client.ask('leave-room', { room: 'a' });
      expect(await client.ask('join-room', { room: 'd' })).toHaveProperty('data');
      client.close();
    });

    test.for([
      ['an empty name', ''],
      ['the name of everyone', '*'],
      ['a control character', 'a\u0000b'],
      ['201 bytes', 'é'.repeat(100) + 'x'],
      ['no text', 7],
    ] as const)('a room name that is %s', async ([, room]) => {
      const { client } = await connect(node.url, ALICE);
      expect(await client.ask('join-room', { room })).toMatchObject({
        error: { code: 'invalid_payload' },
      });
      client.close();
    });

    test('unknown fields are ignored', async () => {
      const { client } = await connect(node.url, ALICE);
      const answer = await client.ask('join-room', { room: 'extra', type: 'x', more: { a: 1 } });
      expect(answer).toHaveProperty('data.room', 'extra');
      client.close();
    });

    test('a message that is too long', async () => {
      const { client } = await connect(node.url, ALICE);
      expect(await client.ask('send-message', { message: 'x'.repeat(10_001) })).toMatchObject({
        error: { code: 'invalid_payload' },
      });
      client.close();
    });
  });

  describe('flood', () => {
    test('over its rate a session is told rate_limited and when to come back', async () => {
      const { client } = await connect(node.url, BOB);
      const answers = await Promise.all(Array.from({ length: 250 }, () => client.ask('ping')));
      const refused = answers.filter((answer) => answer.error);
      expect(answers.length - refused.length).toBeGreaterThanOrEqual(200);
      expect(refused.length).toBeGreaterThan(0);
      expect(refused.at(0)?.error).toEqual({
        message: 'Too many events',
        code: 'rate_limited',
        retryable: true,
        retryAfterMs: expect.any(Number) as number,
      });
      client.close();
    });

    test('a session that goes on is closed and stays away', async () => {
      const { client } = await connect(node.url, BOB);
      const gone = client.life('disconnect');
      for (let time = 0; time < 2000; time++) client.socket.emit('ping');
      expect(await gone).toBe('io server disconnect');
      expect(client.all('error').at(-1)).toMatchObject({ code: 'rate_limited' });
      client.close();
    });
  });

  test('the schema of every event has an example here', () => {
    expect(Object.keys(good).toSorted()).toEqual(Object.keys(CLIENT_EVENTS).toSorted());
  });

  test('a socket.io-client may be typed with the maps of protocol/', async () => {
    const client = new Client(node.url, { auth: { token: await tokenOf(ALICE) } });
    await client.next('connected');
    const typed: import('socket.io-client').Socket<
      import('@streamgate/protocol/event-maps').ServerToClientEvents,
      import('@streamgate/protocol/event-maps').ClientToServerEvents
    > = client.socket;
    const answer = await typed.emitWithAck('ping');
    expect(answer.data?.timestamp).toEqual(timestamp);
    client.close();
  });
});
