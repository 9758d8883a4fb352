import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Client, connect, eventually } from '../client.js';
import { ALICE, BOB } from '../cluster.js';
import { Several } from '../nodes/several.js';
import { OtlpReceiver, SERVICE_SPAN, named, newTrace, parentOf } from '../otlp.js';
import type { Person } from '../tokens.js';
import { type TestBroker, startBroker } from './broker.js';
import { KafkaService } from './kafka.js';

const COMMAND_MAX = 100_000;

let broker: TestBroker;
let several: Several;
let service: KafkaService;
const clients: Client[] = [];
const receiver = new OtlpReceiver();

beforeAll(async () => {
  broker = await startBroker();
  several = await Several.start(2, 'mailbox', {
    ...(await receiver.start()),
    STREAMGATE_KAFKA_BROKERS: broker.address,
    STREAMGATE_COMMAND_MAX_BYTES: String(COMMAND_MAX),
  });
  service = new KafkaService(broker);
  await Promise.all(
    several.nodes.map((node) => node.logged(({ msg }) => msg === 'Kafka is there')),
  );
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
afterAll(async () => {
  await service.close();
  await several.stop();
  await broker.stop();
  receiver.stop();
});

async function open(node: number, person: Person): Promise<Client> {
  const { client } = await connect(several.node(node).url, person);
  clients.push(client);
  return client;
}

const data = { quizId: 7, title: 'Fractions' };

describe('document 1', () => {
  test('ws.emit.user reaches every session of the user, on every node', async () => {
    const [one, two, other] = [await open(1, ALICE), await open(2, ALICE), await open(1, BOB)];
    await service.write('ws.emit.user', { userId: 'alice', event: 'quiz:created', data });
    expect(await one.next('quiz:created')).toEqual(data);
    expect(await two.next('quiz:created')).toEqual(data);
    await service.write('ws.emit.user', { userId: 'bob', event: 'fence' });
    await other.next('fence');
    expect(other.has('quiz:created')).toBe(false);
  });

  test('ws.emit.users, ws.broadcast and ws.emit.room', async () => {
    const [alice, bob] = [await open(1, ALICE), await open(2, BOB)];
    await service.write('ws.emit.users', {
      userIds: ['alice', 'bob', 'carol'],
      event: 'team',
      data,
    });
    await service.write('ws.broadcast', { event: 'maintenance', data });
    for (const client of [alice, bob]) {
      expect(await client.next('team')).toEqual(data);
      expect(await client.next('maintenance')).toEqual(data);
    }
    await alice.ask('join-room', { room: 'quiz:7' });
    await service.write('ws.emit.room', { room: 'quiz:7', event: 'user:joined', data });
    expect(await alice.next('user:joined')).toEqual(data);
    expect(bob.has('user:joined')).toBe(false);
  });

  test('join:room joins, as the document has it', async () => {
    const alice = await open(1, ALICE);
    const key = 'quiz:8';
    await service.write(
      'ws.emit.user',
      { userId: 'alice', event: 'join:room', data: { room: key } },
      { key },
    );
    expect(await alice.next('join:room')).toEqual({ room: key });
    await service.write('ws.emit.room', { room: key, event: 'started' });
    await alice.next('started');
  });
});

describe('streamgate.commands', () => {
  test('takes every field of the contract as JSON', async () => {
    const [alice, bob] = [await open(1, ALICE), await open(2, BOB)];
    const to = ['user:alice', 'user:bob'];
    await service.write('streamgate.commands', {
      to,
      except: 'user:bob',
      event: 'hi',
      data,
      ttl: 60,
    });
    expect(await alice.next('hi')).toEqual(data);
    await service.write('streamgate.commands', {
      action: 'join',
      to: 'user:bob',
      data: { room: 'x' },
    });
    await service.write('streamgate.commands', { action: 'disconnect', to: 'user:alice' });
    await eventually(
      () => alice.socket.connected,
      (connected) => !connected,
    );
    expect(bob.has('hi')).toBe(false);
  });

  test('an id is executed once', async () => {
    const alice = await open(1, ALICE);
    const command = { to: 'user:alice', event: 'once', source: 'quiz', id: '1' };
    const key = 'alice';
    for (let times = 0; times < 3; times += 1)
      await service.write('streamgate.commands', command, { key });
    await service.write('streamgate.commands', { to: 'user:alice', event: 'fence' }, { key });
    await alice.next('fence');
    expect(alice.all('once')).toHaveLength(1);
  });

  test('ttl counts from the time of the message', async () => {
    const alice = await open(1, ALICE);
    const timestamp = Date.now() - 10_000;
    const key = 'alice';
    for (const [event, ttl] of [
      ['late', 5],
      ['in time', 60],
    ] as const)
      await service.write('streamgate.commands', { to: '*', event, ttl }, { key, timestamp });
    await alice.next('in time');
    expect(alice.has('late')).toBe(false);
  });

  test('the order of a key is kept', async () => {
    const alice = await open(1, ALICE);
    const keys = ['a', 'b', 'c', 'd', 'e'];
    const writes: Promise<void>[] = [];
    for (let n = 0; n < 40; n += 1)
      for (const key of keys)
        writes.push(
          service.write('streamgate.commands', { to: 'user:alice', event: key, data: n }, { key }),
        );
    await Promise.all(writes);
    for (const key of keys) for (let n = 0; n < 40; n += 1) expect(await alice.next(key)).toBe(n);
  });
});

test('what cannot be executed is in the dead topic, with the reason, and the rest goes on', async () => {
  const alice = await open(1, ALICE);
  const topic = 'streamgate.commands';
  const key = 'poison';
  const poison: [value: string, code: string][] = [
    ['{', 'invalid_json'],
    ['[1]', 'invalid_payload'],
    ['{"to":"*","event":"x","colour":1}', 'unknown_field'],
    ['{"action":"dance","to":"*"}', 'unknown_action'],
    ['{"to":"*","event":"disconnect"}', 'reserved_event'],
    ['{"to":"*","event":"x","nsp":"/admin"}', 'unknown_namespace'],
    ['{"to":"*","event":"x","ttl":-1}', 'invalid_ttl'],
    ['{"to":"room","event":"x","durable":true}', 'durable_needs_users'],
    [JSON.stringify({ to: '*', event: 'x', data: 'x'.repeat(COMMAND_MAX) }), 'payload_too_large'],
  ];
  for (const [value] of poison)
    await service.write(topic, value, { key, headers: { mine: 'kept' } });
  await service.write(topic, { to: 'user:alice', event: 'fence' }, { key });
  await alice.next('fence');
  const letters = await service.deadLetters(topic, poison.length);
  expect(
    letters.map(({ value, headers }) => [value?.slice(0, 60), headers['streamgate-code']]),
  ).toEqual(poison.map(([value, code]) => [value.slice(0, 60), code]));
  for (const letter of letters) {
    expect(letter.key).toBe(key);
    expect(letter.headers).toMatchObject({
      mine: 'kept',
      'streamgate-topic': topic,
      'streamgate-partition': expect.stringMatching(/^\d$/) as string,
      'streamgate-offset': expect.stringMatching(/^\d+$/) as string,
      'streamgate-reason': expect.stringMatching(/./) as string,
      'streamgate-time': expect.stringMatching(/Z$/) as string,
      'streamgate-node': expect.stringMatching(/./) as string,
    });
  }
  const counted = await Promise.all(
    several.nodes.map((node) => node.metric('streamgate_kafka_dead_total{code="invalid_json"}')),
  );
  expect(counted.reduce((sum, count) => sum + count)).toBe(1);
});

test('a dead letter that is too large with its reason says where the message is', async () => {
  const alice = await open(1, ALICE);
  const topic = 'ws.broadcast';
  // A batch of the broker's largest size holds it, and not its dead letter.
  await service.write(topic, 'x'.repeat(1_048_588 - 100), { key: 'large' });
  await service.write(topic, { event: 'fence' }, { key: 'large' });
  await alice.next('fence');
  const [letter] = await service.deadLetters(topic, 1);
  expect(letter).toMatchObject({
    key: 'large',
    value: undefined,
    headers: {
      'streamgate-code': 'payload_too_large',
      'streamgate-offset': expect.stringMatching(/^\d+$/) as string,
    },
  });
});

test('a trace goes on from the headers of a message', async () => {
  const client = await open(1, ALICE);
  const trace = newTrace();
  const headers = { traceparent: parentOf(trace) };
  await service.write('ws.emit.user', { userId: 'alice', event: 'traced', data }, { headers });
  await client.next('traced');
  const spans = await receiver.trace(trace, 3);
  const [process] = named(spans, 'process kafka');
  expect(process).toMatchObject({
    parentSpanId: SERVICE_SPAN,
    attributes: { 'messaging.system': 'kafka' },
  });
  const [publish] = named(spans, 'publish');
  expect(publish).toMatchObject({ parentSpanId: process!.spanId });
  expect(named(spans, 'deliver')).toMatchObject([{ parentSpanId: publish!.spanId }]);
});
