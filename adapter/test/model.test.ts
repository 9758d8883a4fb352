import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';
import { type Kind } from './candidates.ts';
import { Node } from './cluster.ts';
import { Model, type Real, commands, conclude } from './model.ts';

/** Many more by command: `MODEL_RUNS=5000 npm run model -w adapter`; again the same: `MODEL_SEED=…`. */
const runs = Number(process.env.MODEL_RUNS ?? 15);
const seed = Number(process.env.MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Most of a run is waiting: many go on beside each other, each part with a seed of its own. */
const RUNS_OF_PART = 15;
const MOST_PARTS = 8;
const parts = Math.min(MOST_PARTS, Math.ceil(runs / RUNS_OF_PART));

/** The shard that an event to these rooms is written to. */
function laneOf(rooms: readonly string[], shards: number): number {
  const keys = rooms.length === 0 ? ['n:/'] : rooms.map((room) => `r:/,${room}`);
  return Math.min(...keys.map((key) => crc32(key) % shards));
}

let redis: TestRedis[];
beforeAll(async () => {
  const starts = [1, 2].map(() => startRedis({ args: ['--appendonly', 'no'] }));
  redis = await Promise.all(starts);
});
afterAll(() => Promise.all(redis.map((each) => each.stop())));

// Socket.IO's own memory shows that the model asks for nothing odd.
describe.each<[Kind, number, number]>([
  ['memory', 1, 1],
  ['mailbox', 3, 1],
  ['mailbox', 3, 3],
])('the model holds for %s on %i nodes with %i shards', (kind, count, shards) => {
  test(`in ${runs} runs`, { timeout: 5000 + runs * 3000 }, async () => {
    await Promise.all(Array.from({ length: parts }, (_, part) => check(seed + part)));
  });

  async function check(partSeed: number): Promise<void> {
    console.log(`model of ${kind}: seed ${partSeed}`);
    let run = 0;
    const property = fc.asyncProperty(commands(count, kind === 'memory'), async (script) => {
      const options = {
        urls: redis.slice(0, shards).map(({ url }) => url),
        shards,
        prefix: `model-${shards}-${partSeed}-${run++}`,
        timeoutMs: 3000,
      };
      const start = () => Node.start(kind, options, { transports: ['websocket'] });
      const nodes = await Promise.all(Array.from({ length: count }, start));
      const model = new Model((rooms) => laneOf(rooms, shards), kind === 'mailbox' && shards === 1);
      const real: Real = { nodes, clients: new Map(), start };
      try {
        await fc.asyncModelRun(() => ({ model, real }), script);
        await conclude(model, real);
      } finally {
        for (const client of real.clients.values()) client.close();
        await Promise.all(nodes.map((node) => node.close()));
      }
    });
    const result = await fc.check(property, {
      numRuns: Math.ceil(runs / parts),
      seed: partSeed,
      verbose: fc.VerbosityLevel.None,
    });
    const { failed, errorInstance } = result;
    expect(failed, `${String(errorInstance)}\n${fc.defaultReportMessage(result)}`).toBe(false);
  }
});
