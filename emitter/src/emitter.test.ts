import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import { commandOfEntry, partitionOf, streamNames } from '@streamgate/protocol/stream';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';
import { Emitter, type EmitterError, type EmitterOptions } from './emitter.js';

const names = streamNames('streamgate');
let server: TestRedis;
let redis: Redis;
const errors: EmitterError[] = [];
const emitters: Emitter[] = [];

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  redis = new Redis(server.url);
  redis.on('error', () => undefined);
  await redis.flushall();
});
afterEach(async () => {
  server.resume();
  await Promise.all(emitters.splice(0).map((emitter) => emitter.close(0)));
  errors.length = 0;
  redis.disconnect();
});
afterAll(() => server.stop());

function connected(options: Partial<EmitterOptions> = {}): Emitter {
  const made = new Emitter({
    redis: server.url,
    source: 'quiz',
    onError: (error) => errors.push(error),
    ...options,
  });
  emitters.push(made);
  return made;
}

/** What the gateway would read: a command for each entry, in order. */
async function commands(partition = 0) {
  const entries = await redis.xrange(names.partition(partition), '-', '+');
  return entries.map(([, fields]) => commandOfEntry(fields));
}

const codes = () => errors.map(({ code }) => code);

test('writes what the fluent form says, as the contract has it', async () => {
  const to = connected();
  await Promise.all([
    to.toUser(42).emit('quiz:created', { quizId: 7 }),
    to.to('course:1').toRole('ADMIN').except('user:7').volatile().emit('course_update_2'),
    to.broadcast().ttl(60).key('news').emit('system:maintenance', null),
    to.toUsers(['a', 2]).durable().id('order-1').emit('team:invitation', [1, 'two']),
    to.of('/chat').to(['conversation:1', 'conversation:2']).emit('user-typing', {}),
    to.toUser('42').join('quiz:7'),
    to.toUser('42').leave('quiz:7'),
    to.toUsers(['x', 'y']).disconnect({ reason: 'Banned', code: 'banned', revoke: 60 }),
  ]);
  const written = await commands();
  expect(new Set(written.map(({ id }) => id)).size).toBe(8);
  expect(written.map(({ id, source, ...rest }) => [source, typeof id, rest])).toEqual(
    [
      { action: 'emit', to: ['user:42'], event: 'quiz:created', args: [{ quizId: 7 }] },
      {
        action: 'emit',
        to: ['course:1', 'role:ADMIN'],
        except: ['user:7'],
        event: 'course_update_2',
        args: [],
        volatile: true,
      },
      { action: 'emit', to: '*', ttl: 60, key: 'news', event: 'system:maintenance', args: [null] },
      {
        action: 'emit',
        to: ['user:a', 'user:2'],
        durable: true,
        event: 'team:invitation',
        args: [[1, 'two']],
      },
      {
        action: 'emit',
        nsp: '/chat',
        to: ['conversation:1', 'conversation:2'],
        event: 'user-typing',
        args: [{}],
      },
      { action: 'join', users: ['42'], room: 'quiz:7' },
      { action: 'leave', users: ['42'], room: 'quiz:7' },
      { action: 'disconnect', users: ['x', 'y'], reason: 'Banned', code: 'banned', revoke: 60 },
    ].map((command) => ['quiz', 'string', command]),
  );
  expect(written[3]?.id).toBe('order-1');
});

test('an address can be kept and used again', async () => {
  const course = connected().to('course:1');
  await Promise.all([course.except('user:1').emit('a'), course.emit('b')]);
  expect(await commands()).toMatchObject([
    { event: 'a', except: ['user:1'] },
    { event: 'b', to: ['course:1'] },
  ]);
});

test.each([
  ['reserved_event', (to: Emitter) => to.toUser(1).emit('connect')],
  ['invalid_to', (to: Emitter) => to.to([]).emit('a')],
  ['invalid_to', (to: Emitter) => to.to('course:1').join('quiz:7')],
  ['invalid_ttl', (to: Emitter) => to.toUser(1).ttl(0).emit('a')],
  ['durable_needs_users', (to: Emitter) => to.toRole('ADMIN').durable().emit('a')],
  ['invalid_payload', (to: Emitter) => to.toUser(1).emit('a', 1n)],
  ['payload_too_large', (to: Emitter) => to.toUser(1).emit('a', 'x'.repeat(1024 * 1024))],
])('refuses with %s what the gateway would refuse', async (code, emit) => {
  await expect(emit(connected())).rejects.toMatchObject({ name: 'EmitterError', code });
  expect(await redis.exists(names.partition(0))).toBe(0);
});

test('what nobody awaits is reported, not thrown', async () => {
  void connected().toUser(1).emit('connect');
  await vi.waitFor(() => expect(codes()).toEqual(['reserved_event']));
});

test('carries the trace', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await connected({ trace: () => ({ traceparent }) })
    .toUser(1)
    .emit('a');
  expect(await commands()).toMatchObject([{ traceparent }]);
});

test('takes its options from a client without its key prefix', async () => {
  const client = new Redis(server.url, { keyPrefix: 'mine:', maxRetriesPerRequest: null });
  await connected({ redis: client }).toUser(1).emit('a');
  client.disconnect();
  expect(await commands()).toMatchObject([{ event: 'a' }]);
});

test('writes a key to its partition, and follows the gateway when their number changes', async () => {
  await redis.set(names.partitions, 4);
  const to = connected();
  const emitAll = (event: string) =>
    Promise.all(Array.from({ length: 20 }, (_, user) => to.toUser(user).emit(event)));
  await emitAll('four');
  await redis.set(names.partitions, 2);
  await to.toUser(0).emit('asks');
  await emitAll('two');
  for (const [index, counts] of [[4, 2], [4, 2], [4], [4]].entries()) {
    const expected = counts.flatMap((count) =>
      Array.from({ length: 20 }, (_, user) => `user:${user}`).filter(
        (key) => partitionOf(key, count) === index,
      ),
    );
    const found = (await commands(index)).filter(
      (command) => command.action === 'emit' && command.event !== 'asks',
    );
    expect(found.map((command) => command.action === 'emit' && command.to[0])).toEqual(expected);
  }
});

test('refuses a number of partitions that is not the gateway’s', async () => {
  await redis.set(names.partitions, 4);
  await expect(connected({ partitions: 2 }).toUser(1).emit('a')).rejects.toMatchObject({
    code: 'partitions_conflict',
  });
});

test('refuses when too much waits, and writes the rest in order when Redis is back', async () => {
  const to = connected({ maxQueued: 100 });
  await to.toUser(1).emit('first');
  await server.kill();
  await vi.waitFor(() => expect(codes()).toEqual(['redis_away']));
  const waiting = Array.from({ length: 100 }, (_, n) => to.toUser(1).emit('n', n));
  await expect(to.toUser(1).emit('n', 100)).rejects.toMatchObject({ code: 'queue_full' });
  await server.restart();
  await Promise.all(waiting);
  const numbers = (await commands()).map((command) => command.action === 'emit' && command.args[0]);
  expect(numbers).toEqual([undefined, ...Array.from({ length: 100 }, (_, n) => n)]);
});

test('repeats under the same id what Redis did not answer', async () => {
  const to = connected();
  await to.toUser(1).emit('first');
  server.pause();
  const sent = Array.from({ length: 10 }, (_, n) => to.toUser(1).emit('n', n));
  // The batch is on its way when Redis goes; whether it arrives is open.
  await vi.waitFor(() => expect(to['outbox']['queue'][0]?.triedAt).toBeDefined());
  await server.restart();
  const written = await Promise.all(sent);
  const ids = (await commands()).slice(1).map(({ id }) => id);
  expect([...new Set(ids)]).toEqual(written.map(({ id }) => id));
});

test('loses and reorders nothing while Redis is killed again and again', async () => {
  const to = connected();
  const sent: Promise<unknown>[] = [];
  for (let round = 0; round < 4; round++) {
    for (let n = 0; n < 500; n++) sent.push(to.toUser(1).emit('n', sent.length));
    // Somewhere in the middle of it: what has arrived by then is different each time.
    await vi.waitFor(async () => expect(await redis.xlen(names.partition(0))).toBeGreaterThan(0));
    for (let n = 0; n < 500; n++) sent.push(to.toUser(1).emit('n', sent.length));
    await server.restart();
  }
  await Promise.all(sent);
  const executed = new Map<unknown, unknown>();
  // As the gateway does: an id once, when it first comes.
  for (const command of await commands())
    if (command.action === 'emit' && !executed.has(command.id))
      executed.set(command.id, command.args[0]);
  expect([...executed.values()]).toEqual(Array.from(sent, (_, n) => n));
});

test('does not repeat what the gateway could have forgotten', async () => {
  const to = connected({ repeatWithinMs: 0 });
  await to.toUser(1).emit('first');
  server.pause();
  const sent = to.toUser(1).emit('a');
  await vi.waitFor(() => expect(to['outbox']['queue'][0]?.triedAt).toBeDefined());
  const [answer] = await Promise.allSettled([sent, server.restart()]);
  expect(answer).toMatchObject({ reason: { code: 'outcome_unknown' } });
  await to.toUser(1).emit('next');
});

test('gives up what is not worth delivering any more', async () => {
  const to = connected();
  await to.toUser(1).emit('first');
  await server.kill();
  await vi.waitFor(() => expect(codes()).toEqual(['redis_away']));
  const [old, young] = [to.toUser(1).ttl(1).emit('old'), to.toUser(1).ttl(60).emit('young')];
  await expect(old).rejects.toMatchObject({ code: 'expired' });
  await server.restart();
  await young;
});

test('waits while Redis has no memory, and lets nothing overtake', async () => {
  const to = connected();
  await to.toUser(1).emit('first');
  await redis.config('SET', 'maxmemory', '1');
  const sent = Array.from({ length: 700 }, (_, n) => to.toUser(1).emit('n', n));
  await vi.waitFor(async () => expect(await redis.info('errorstats')).toContain('errorstat_OOM'));
  await redis.config('SET', 'maxmemory', '0');
  await Promise.all(sent);
  const numbers = (await commands()).map((command) => command.action === 'emit' && command.args[0]);
  expect(numbers).toEqual([undefined, ...Array.from({ length: 700 }, (_, n) => n)]);
});

test('says what Redis refuses for good', async () => {
  await redis.set(names.partition(0), 'not a stream');
  await expect(connected().toUser(1).emit('a')).rejects.toMatchObject({ code: 'redis_refused' });
  await redis.acl('SETUSER', 'reader', 'on', 'nopass', '~*', '+@all', '-xadd');
  const url = server.url.replace('redis://', 'redis://reader:x@');
  await expect(connected({ redis: url }).toUser(1).emit('a')).rejects.toMatchObject({
    code: 'redis_refused',
  });
});

test('needs no more than the permissions that its README asks for', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, rules = ''] = /^ACL SETUSER (.*?)^```$/ms.exec(readme) ?? [];
  await redis.acl('SETUSER', ...(rules.trim().split(/\s+/) as [string]));
  const to = connected({ redis: server.url.replace('redis://', 'redis://quiz-service:secret@') });
  const sent = to.toUser(1).receipt().emit('a');
  await answerReceipts({ outcome: 'done' });
  await sent;
  expect(errors).toEqual([]);
});

test('says what Redis does not let it read', async () => {
  await redis.acl('SETUSER', 'blind', 'on', 'nopass', '~*', '+@all', '-xread');
  const to = connected({ redis: server.url.replace('redis://', 'redis://blind:x@') });
  await expect(to.toUser(1).receipt().emit('a')).rejects.toMatchObject({ code: 'redis_refused' });
});

test('says at once that it does not know a URL', () => {
  expect(() => connected({ redis: 'redis+sentinel://a,b/name' })).toThrow(TypeError);
});

test('close writes what waits', async () => {
  const to = connected();
  const sent = Array.from({ length: 2000 }, (_, n) => to.toUser(1).emit('n', n));
  await to.close();
  await Promise.all(sent);
  expect(await redis.xlen(names.partition(0))).toBe(2000);
  await expect(to.toUser(1).emit('late')).rejects.toMatchObject({ code: 'closed' });
});

test('close gives up in time while Redis is away', async () => {
  const to = connected();
  await server.kill();
  const sent = to.toUser(1).emit('a');
  const [answer] = await Promise.allSettled([sent, to.close(10)]);
  expect(answer).toMatchObject({ reason: { code: 'closed' } });
  await server.restart();
});

/** Answers the receipts of the entries that are there, as the gateway does. */
async function answerReceipts(answer: Record<string, string>) {
  await vi.waitFor(async () => expect(await redis.xlen(names.partition(0))).toBeGreaterThan(0));
  for (const [entry, fields] of await redis.xrange(names.partition(0), '-', '+')) {
    const { id = '', receipt = '' } = commandOfEntry(fields);
    const all = { id, entry, inboxed: '0', node: 'n1', time: '1700000000000', ...answer };
    await redis.xadd(receipt, '*', ...Object.entries(all).flat());
  }
}

test('receipt() gives what became of the command', async () => {
  const sent = connected().toUser(1).receipt().emit('a');
  await answerReceipts({ outcome: 'done', sessions: '2' });
  const [[entry] = []] = await redis.xrange(names.partition(0), '-', '+');
  expect(await sent).toEqual({
    ...{ id: expect.any(String), entry, outcome: 'done', sessions: 2, inboxed: 0 },
    ...{ node: 'n1', time: 1_700_000_000_000 },
  });
});

test('receipt() rejects with the gateway’s code', async () => {
  const sent = connected().toUser(1).receipt().join('user:2');
  void answerReceipts({ outcome: 'refused', code: 'room_forbidden' });
  await expect(sent).rejects.toMatchObject({ code: 'room_forbidden', retryable: false });
});

test('receipt() does not wait for ever, and outlives a restart of Redis', async () => {
  const to = connected();
  const never = to.toUser(1).receipt({ timeoutMs: 50 }).emit('never');
  await expect(never).rejects.toMatchObject({ code: 'receipt_timeout' });
  await server.restart({ keepData: false });
  const sent = to.toUser(1).receipt().emit('a');
  await answerReceipts({ outcome: 'duplicate' });
  expect(await sent).toMatchObject({ outcome: 'duplicate', sessions: undefined });
});

test('close waits for receipts that were asked for', async () => {
  const to = connected();
  const sent = to.toUser(1).receipt().emit('a');
  const [delivery] = await Promise.all([
    sent,
    to.close(),
    answerReceipts({ outcome: 'done', sessions: '1' }),
  ]);
  expect(delivery.sessions).toBe(1);
});
