import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { Client, connect, eventually } from '../client.js';
import { ALICE, BOB } from '../cluster.js';
import type { NodeEnv } from '../node.js';
import { BACKPLANES, Several } from './several.js';
import { deadOfEntry } from '@streamgate/protocol/stream';

const EMIT = 'streamgate:emit';
const quiet = { transports: ['websocket'], reconnection: false };

describe.each(BACKPLANES)('the stream door on %s', (backplane) => {
  let several: Several;
  let redis: Redis;
  const clients: Client[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    redis?.disconnect();
    await several.stop();
  });
  async function start(count: number, env: NodeEnv = {}): Promise<void> {
    several = await Several.start(count, backplane, env);
    redis = new Redis(several.redis.url);
    redis.on('error', () => undefined);
  }
  async function open(node: number, person = ALICE): Promise<Client> {
    const { client } = await connect(several.node(node).url, person, quiet);
    clients.push(client);
    return client;
  }
  /** All that was written is executed and acknowledged. */
  const emptied = () =>
    eventually(
      () => redis.xlen(EMIT),
      (length) => length === 0,
    );
  const write = (...fields: string[]) => redis.xadd(EMIT, '*', ...fields) as Promise<string>;

  test('what is written before any node was up is executed, and the stream is left empty', async () => {
    await start(2);
    const [alice, bob] = [await open(1), await open(2, BOB)];
    await write('to', 'user:alice', 'event', 'quiz:created', 'data', '{"quizId":7}');
    expect(await alice.next('quiz:created')).toEqual({ quizId: 7 });
    await write('to', '["user:alice","user:bob"]', 'event', 'both');
    await write('to', '*', 'except', 'user:bob', 'event', 'not-bob', 'data', '1');
    await write('to', '*', 'event', 'last');
    expect(await bob.nextArgs('last')).toBeTruthy();
    expect(bob.has('both')).toBe(true);
    expect(bob.has('not-bob')).toBe(false);
    await emptied();
    expect(((await redis.xinfo('GROUPS', EMIT)) as unknown[][])[0]).toContain('streamgate');
  });

  test('what cannot be executed is kept with its reason, and the rest goes on', async () => {
    await start(1, { STREAMGATE_COMMAND_MAX_BYTES: '2048' });
    const alice = await open(1);
    const receipt = 'streamgate:receipt:test';
    const wrong: [code: string, ...fields: string[]][] = [
      ['invalid_json', 'to', 'user:alice', 'event', 'x', 'data', '{'],
      ['invalid_payload', 'to', 'user:alice'],
      ['reserved_event', 'to', 'user:alice', 'event', 'disconnect'],
      ['unknown_action', 'to', 'user:alice', 'action', 'fly'],
      ['unknown_field', 'to', 'user:alice', 'event', 'x', 'colour', 'red'],
      ['unknown_namespace', 'to', 'user:alice', 'event', 'x', 'nsp', '/other'],
      ['payload_too_large', 'to', 'user:alice', 'event', 'x', 'data', `"${'x'.repeat(3000)}"`],
      ['invalid_ttl', 'to', 'user:alice', 'event', 'x', 'ttl', 'soon'],
      ['invalid_to', 'to', '["', 'event', 'x'],
      ['durable_needs_users', 'to', 'role:admin', 'event', 'x', 'durable', '1'],
      ['invalid_receipt', 'to', 'user:alice', 'event', 'x', 'receipt', 'streamgate:emit'],
      ['invalid_json', 'to', 'user:alice', 'event', 'x', 'data', '{', 'receipt', receipt],
    ];
    for (const [, ...fields] of wrong) await write(...fields);
    const many = Array.from({ length: 3000 }, (_, n) => [`f${n}`, 'x']).flat();
    await write(...many);
    await write('to', 'user:alice', 'event', 'fine');
    await alice.next('fine');
    const dead = await eventually(
      () => redis.xrange('streamgate:emit:dead', '-', '+'),
      (entries) => entries.length === wrong.length + 1,
    );
    const letters = dead.map(([, entry]) => deadOfEntry(entry)!);
    for (const [index, [code, ...fields]] of wrong.entries()) {
      const { letter, fields: kept } = letters.find(
        (each) => JSON.stringify(each.fields) === JSON.stringify(fields),
      )!;
      expect({ index, code: letter.code, kept }).toEqual({ index, code, kept: fields });
      expect(letter.reason).not.toBe('');
      expect(letter.stream).toBe(EMIT);
    }
    const [[, told]] = (await redis.xrange(receipt, '-', '+')) as [[string, string[]]];
    expect(told).toEqual(expect.arrayContaining(['outcome', 'refused', 'code', 'invalid_json']));
    await emptied();
    expect(await several.node(1).metric('streamgate_dead_letters_total{code="invalid_json"}')).toBe(
      2,
    );
  });

  test('ids, expiry, joins and receipts mean what they mean everywhere', async () => {
    await start(2);
    const alice = await open(2);
    const receipt = 'streamgate:receipt:test';
    const quiz = ['to', 'user:alice', 'event', 'quiz', 'source', 'quiz'];
    // Written five seconds ago.
    const id = `${Date.now() - 5000}-0`;
    await redis.xadd(EMIT, id, ...quiz, 'data', '0', 'ttl', '1', 'receipt', receipt);
    await write(...quiz, 'id', '1', 'data', '1', 'receipt', receipt);
    await write(...quiz, 'id', '1', 'data', '1', 'receipt', receipt);
    await write(...quiz, 'id', '1', 'data', '2', 'receipt', receipt);
    await write('to', 'user:alice', 'action', 'join', 'data', '{"room":"course:1"}');
    await write('to', 'course:1', 'event', 'joined', 'receipt', receipt);
    await alice.next('joined');
    expect(alice.all('quiz')).toEqual([1]);
    const field = (entry: string[], name: string) => entry[entry.indexOf(name) + 1]!;
    const written = await eventually(
      () => redis.xrange(receipt, '-', '+'),
      (entries) => entries.length === 5,
    );
    // That of a refusal may come behind those of later commands.
    const receipts = written.toSorted(([, one], [, other]) =>
      field(one, 'entry').localeCompare(field(other, 'entry')),
    );
    expect(receipts.map(([, entry]) => field(entry, 'outcome'))).toEqual([
      'expired',
      'done',
      'duplicate',
      'refused',
      'done',
    ]);
    expect(field(receipts[1]![1], 'sessions')).toBe('1');
  });

  test('a group that was destroyed, and a stream that was emptied, do no harm', async () => {
    await start(1);
    const alice = await open(1);
    await write('to', 'user:alice', 'event', 'one');
    await alice.next('one');
    await emptied();
    await redis.xgroup('DESTROY', EMIT, 'streamgate');
    await write('to', 'user:alice', 'event', 'two');
    await alice.next('two');
    await emptied();
    await redis.del(EMIT);
    await write('to', 'user:alice', 'event', 'three');
    await alice.next('three');
    expect(alice.has('one') || alice.has('two')).toBe(false);
  });

  test('entries that a dead node was given are executed first, those that are gone are counted', async () => {
    await start(1);
    const alice = await open(1);
    await write('to', 'user:alice', 'event', 'first');
    await alice.next('first');
    // As a node leaves it that dies between reading and executing.
    several.node(1).pause();
    await eventually(
      () => redis.exists('{streamgate}:1:ingest:lease:0'),
      (exists) => exists === 0,
    );
    const gone = await write('to', 'user:alice', 'event', 'news', 'data', '0');
    for (const n of [1, 2]) await write('to', 'user:alice', 'event', 'news', 'data', String(n));
    const read = ['GROUP', 'streamgate', 'dead', 'COUNT', 3, 'STREAMS', EMIT, '>'] as const;
    await redis.xreadgroup(...read);
    await redis.xdel(EMIT, gone);
    await write('to', 'user:alice', 'event', 'news', 'data', '3');
    several.node(1).resume();
    await eventually(
      () => alice.all('news').length,
      (count) => count === 3,
    );
    expect(alice.all('news')).toEqual([1, 2, 3]);
    expect(await several.node(1).metric('streamgate_stream_deleted_total')).toBe(1);
    const consumers = (await redis.xinfo('CONSUMERS', EMIT, 'streamgate')) as unknown[];
    expect(consumers).toHaveLength(1);
  });
});
