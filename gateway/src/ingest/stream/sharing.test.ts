import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { streamNames } from '@streamgate/protocol/stream';
import { eventually } from '../../../test/client.js';
import { type TestRedis, startRedis } from '../../../test/redis.js';
import { ingestKeys } from '../ingest-keys.js';
import { WRITERS_LAG_MS } from './key-moves.js';
import { defineScripts, runScript } from './run-script.js';

const keys = ingestKeys('streamgate');
const names = streamNames('streamgate');
const LEASE_MS = 400;

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  defineScripts(redis);
});
beforeEach(() => redis.flushall());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const publish = (partitions: number) =>
  runScript(redis, 'publish', [names.partitions, keys.highest, keys.history], [partitions]);

/** A node that takes its turns when it is told to, and gives up at once what it is to give up. */
class Sharer {
  readonly held = new Map<number, string>();
  history = '';
  private free: readonly number[] = [];
  private turns = 0;

  constructor(readonly name: string) {}

  async turn(takesPart = true): Promise<void> {
    const base = `${this.name}/${++this.turns}`;
    const [, history, lost, taken, given, free] = (await runScript(
      redis,
      'tend',
      [keys.nodes, names.partitions, keys.highest, keys.history],
      [
        this.name,
        Number(takesPart),
        LEASE_MS,
        LEASE_MS,
        base,
        keys.lease(0).slice(0, -1),
        names.partition(0),
        WRITERS_LAG_MS,
        `,${this.free.join(',')},`,
        ...[...this.held].flat(),
      ],
    )) as [number, string, number[], number[], number[], number[]];
    this.free = free;
    this.history = history;
    for (const index of lost) this.held.delete(index);
    for (const index of taken) this.held.set(index, base);
    for (const index of given) {
      await runScript(redis, 'release', [keys.lease(index)], [this.held.get(index)!]);
      this.held.delete(index);
    }
  }
}

const counts = (nodes: readonly Sharer[]) =>
  nodes.map(({ held }) => held.size).toSorted((one, other) => other - one);
/** Turns of all until they hold as many as this, whoever has more. */
const until = (nodes: readonly Sharer[], wanted: readonly number[]) =>
  eventually(
    async () => {
      for (const node of nodes) await node.turn();
      return counts(nodes);
    },
    (now) => String(now) === String(wanted),
  );

test('partitions are shared out evenly as nodes come, die and drain', async () => {
  await publish(7);
  const [a, b, c] = [new Sharer('a'), new Sharer('b'), new Sharer('c')];
  await a.turn();
  expect(counts([a])).toEqual([7]);
  await until([a, b, c], [3, 2, 2]);
  // Each by one node.
  const all = [a, b, c].flatMap(({ held }) => [...held.keys()]);
  expect(all.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  // One is silent: its leases run out.
  await until([b, c], [4, 3]);
  await a.turn();
  expect(a.held.size).toBeLessThanOrEqual(2);
  await until([a, b, c], [3, 2, 2]);
  await b.turn(false);
  expect(b.held.size).toBe(0);
  await until([a, c], [4, 3]);
});

test('what is free does not wait long for a node that is busy', async () => {
  await publish(3);
  const a = new Sharer('a');
  await redis.zadd(keys.nodes, Date.now() + 60_000, 'busy');
  await a.turn();
  expect(a.held.size).toBe(1);
  await a.turn();
  expect(a.held.size).toBe(3);
});

test('streams beyond the number are executed until they are empty, also when they fill again', async () => {
  await publish(3);
  const a = new Sharer('a');
  await a.turn();
  await redis.xadd(names.partition(2), '*', 'to', 'x');
  await publish(1);
  await a.turn();
  expect([...a.held.keys()]).toEqual([0, 2]);
  await redis.xtrim(names.partition(2), 'MAXLEN', 0);
  await a.turn();
  expect([...a.held.keys()]).toEqual([0]);
  // A writer that did not look.
  await redis.xadd(names.partition(1), '*', 'to', 'x');
  await a.turn();
  expect([...a.held.keys()]).toEqual([0, 1]);
});

test('the history of the number is kept as long as writers may go by it', async () => {
  await publish(1);
  const a = new Sharer('a');
  await a.turn();
  expect(a.history).toBe('0:1');
  await publish(1);
  await publish(4);
  await publish(2);
  await a.turn();
  expect(a.history).toMatch(/^0:1 \d+:4 \d+:2$/);
  expect(await redis.get(names.partitions)).toBe('2');
  // As if it had been a while ago.
  const old = Date.now() - WRITERS_LAG_MS - 1000;
  await redis.set(keys.history, `0:1 ${old}:4 ${Date.now()}:2`);
  const entry = await redis.xadd(names.partition(0), `${old}-1`, 'to', 'x');
  await a.turn();
  expect(a.history).toMatch(/^0:1 /);
  await redis.xdel(names.partition(0), entry!);
  await a.turn();
  expect(a.history).toMatch(/^\d+:4 \d+:2$/);
});
