import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Emitter, type EmitterError } from '@streamgate/emitter';
import { eLearning } from '@streamgate/emitter/documents/e-learning';
import { privateMessaging } from '@streamgate/emitter/documents/private-messaging';
import { userManagement } from '@streamgate/emitter/documents/user-management';
import { Presence } from '@streamgate/emitter/presence';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Client, connect, eventually } from '../client.js';
import { ALICE, BOB } from '../cluster.js';
import { startNodes, type TestNode } from '../node.js';
import { startRedis, type TestRedis } from '../redis.js';
import { SERVICE } from '../rest.js';
import { type Person, tokenOf } from '../tokens.js';

/** What a service has installed, through the stream, to clients on two nodes. */
describe.each(['mailbox', 'streams'])('the emitter, on %s', (backplane) => {
  let redis: TestRedis;
  let nodes: TestNode[];
  let emitter: Emitter;
  let presence: Presence;
  const clients: Client[] = [];
  const errors: EmitterError[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    const env = { STREAMGATE_REDIS_URL: redis.url, STREAMGATE_BACKPLANE: backplane };
    nodes = await startNodes(2, { ...env, STREAMGATE_STREAM_PARTITIONS: '3' });
    emitter = new Emitter({ redis: redis.url, onError: (error) => errors.push(error) });
    presence = new Presence({ url: nodes[0]!.url, token: () => tokenOf(SERVICE) });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(async () => {
    await emitter.close();
    await Promise.all(nodes.map((node) => node.stop()));
    await redis.stop();
  });

  async function join(person: Person, node = 0): Promise<Client> {
    const { client } = await connect(nodes[node]!.url, person);
    clients.push(client);
    return client;
  }

  test('reaches users, roles, rooms and everyone, and says how many sessions', async () => {
    const alice = await join(ALICE);
    const bob = await join({ ...BOB, roles: ['teacher'] }, 1);
    const data = { quizId: 7, title: 'Größe' };
    const sent = await emitter.toUser('alice').receipt().emit('quiz:created', data);
    expect(sent).toMatchObject({ outcome: 'done', sessions: 1, inboxed: 0 });
    expect(await alice.next('quiz:created')).toEqual(data);
    await emitter.toRole('teacher').emit('grades', null);
    expect(await bob.next('grades')).toBeNull();
    await emitter.broadcast().except('user:bob').emit('system:maintenance');
    await emitter.broadcast().emit('marker');
    await alice.next('system:maintenance');
    await bob.next('marker');
    expect(bob.has('system:maintenance')).toBe(false);
  });

  test('a join holds, a leave takes it back, a disconnect ends the session', async () => {
    const bob = await join(BOB, 1);

    await emitter.toUser('bob').receipt().join('quiz:7');
    await emitter.to('quiz:7').emit('user:joined', { userId: 'bob' });
    expect(await bob.next('user:joined')).toEqual({ userId: 'bob' });
    await emitter.toUser('bob').receipt().leave('quiz:7');
    await emitter.to('quiz:7').receipt().emit('user:joined', {});
    const ended = bob.life('disconnect');
    await emitter.toUser('bob').disconnect({ code: 'banned', reason: 'Your account was closed' });
    expect(await bob.next('error')).toMatchObject({ code: 'banned' });
    expect(await ended).toBe('io server disconnect');
    expect(bob.has('user:joined')).toBe(false);
  });

  test('an id is executed once, and a refusal has the gateway’s code', async () => {
    const alice = await join(ALICE);
    const once = emitter.toUser('alice').id('order-1').receipt();
    expect(await once.emit('order', 1)).toMatchObject({ outcome: 'done', id: 'order-1' });
    expect(await once.emit('order', 1)).toMatchObject({ outcome: 'duplicate' });
    await expect(once.emit('order', 2)).rejects.toMatchObject({ code: 'idempotency_conflict' });
    expect(alice.all('order')).toHaveLength(1);
    const forbidden = emitter.toUser('alice').receipt().join('user:bob');
    await expect(forbidden).rejects.toMatchObject({ code: 'room_forbidden', retryable: false });
  });

  test('what is durable waits for who is away', async () => {
    const carol = { id: 'carol' };
    const numbers = [1, 2, 3];
    const sent = numbers.map((n) => emitter.toUser('carol').durable().receipt().emit('n', n));
    for (const one of await Promise.all(sent)) expect(one.inboxed).toBe(1);
    const client = await join(carol, 1);
    for (const n of numbers) expect(await client.next('n')).toBe(n);
  });

  test('documents 3, 4 and 5: what services called', async () => {
    const alice = await join(ALICE);
    const users = userManagement(emitter, presence);
    const messages = privateMessaging(emitter, presence);
    expect(await users.sendToUser('alice', 'notification', { message: 'Hi' })).toBe(true);
    expect(await alice.next('notification')).toEqual({ message: 'Hi' });
    expect(await users.sendToUser('zoe', 'notification', { message: 'Hi' })).toBe(false);
    expect(await messages.isUserConnected('alice')).toBe(true);
    expect(await presence.user('alice')).toMatchObject({ connected: true, sessions: 1 });
    expect(await presence.room('user:alice')).toMatchObject({ sessions: 1, users: 1 });
    expect(await messages.isUserConnected('zoe')).toBe(false);
    expect(await messages.sendMessageToUser('alice', 'alert', { body: 'Hi' })).toBe(true);
    await join(BOB, 1);
    await eventually(
      () => users.getActiveUsersCount(),
      (count) => count === 2,
    );
    expect((await presence.activeUsers()).users.map(({ id }) => id)).toEqual(['alice', 'bob']);
    await alice.ask('join_room', { room: 'course:1' });
    await eLearning(emitter).sendCourseUpdate('1', { type: 'a', title: 'b', message: 'c' });
    expect(await alice.next('course_update')).toMatchObject({ courseId: '1', title: 'b' });
  });

  test('asking without a permission says so', async () => {
    const stranger = new Presence({ url: nodes[0]!.url, token: 'none' });
    await expect(stranger.isConnected('alice')).rejects.toMatchObject({
      code: 'authentication_failed',
    });
    const nowhere = new Presence({ url: 'http://127.0.0.1:1', token: 'none' });
    await expect(nowhere.activeUsersCount()).rejects.toMatchObject({ code: 'gateway_away' });
  });

  test('what a service wrote wrongly comes back, mended, from the command line', async () => {
    const alice = await join(ALICE);
    const client = new Redis(redis.url);
    const entry = ['to', 'user:alice', 'event', 'quiz:created', 'data', '{quizId: 7}'];
    await client.xadd('streamgate:emit', '*', ...entry);
    client.disconnect();
    const list = ['dead', 'list', '--code', 'invalid_json', '--json'];
    const { id } = JSON.parse(
      await eventually(
        () => streamgate(...list),
        (text) => text !== '',
      ),
    );
    await streamgate('dead', 'replay', id, '--set', 'data={"quizId": 7}');
    expect(await alice.next('quiz:created')).toEqual({ quizId: 7 });
    const receipt = await streamgate('emit', 'quiz:created', '8', '--user', 'alice', '--receipt');
    expect(receipt).toMatch(/^done {2}sessions 1 {2}inboxed 0 {2}node \S+ {2}id \S+\n$/);
    expect(await alice.next('quiz:created')).toBe(8);
  });

  async function streamgate(...args: string[]): Promise<string> {
    const program = fileURLToPath(new URL('../../../emitter/dist/cli/main.js', import.meta.url));
    const run = promisify(execFile);
    return (await run(process.execPath, [program, ...args, '--redis', redis.url])).stdout;
  }
});
