import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { Client, connect, eventually } from '../client.js';
import { startNode, type NodeEnv, type TestNode } from '../node.js';
import { StreamLoad, judge, waiting } from './stream-load.js';
import { BACKPLANES, Several } from './several.js';

const quiet = { transports: ['websocket'], reconnection: false };
const KEYS = 12;
/** A partition does not stand still for longer, in ms, whatever happens to a node or to Redis. */
const STOPPED_MAX = 10_000;
const none = { lost: 0, doubled: 0, reordered: 0 };

// What pub/sub loses while a node is not subscribed is its own matter.
describe.each(BACKPLANES.filter((kind) => kind !== 'pubsub'))(
  'commands under load on %s',
  (backplane) => {
    let several: Several;
    let redis: Redis;
    let load: StreamLoad;
    const clients: Client[] = [];
    const added: TestNode[] = [];
    afterEach(async () => {
      await load?.stop();
      for (const client of clients.splice(0)) client.close();
      redis?.disconnect();
      await Promise.all(added.splice(0).map((node) => node.stop()));
      await several.stop();
    });

    /** Node 1 is there first and executes; the clients are on the others. */
    async function start(env: NodeEnv = {}): Promise<void> {
      several = await Several.start(1, backplane, env);
      redis = new Redis(several.redis.url, { retryStrategy: () => 100 });
      redis.on('error', () => undefined);
      await executes(several.node(1), 1);
      for (let index = 0; index < 2; index++) several.nodes.push(await add(env));
      for (let key = 0; key < KEYS; key++) {
        const { client } = await connect(
          several.node(2 + (key % 2)).url,
          { id: `user-${key}` },
          quiet,
        );
        clients.push(client);
      }
      const rooms = clients.map((_, key) => `user:user-${key}`);
      load = new StreamLoad(redis, rooms, 10);
      await load.more(200);
    }
    function add(env: NodeEnv): Promise<TestNode> {
      const settings = {
        STREAMGATE_REDIS_URL: several.redis.url,
        STREAMGATE_BACKPLANE: backplane,
        ...env,
      };
      return startNode(settings);
    }
    const executes = (node: TestNode, partitions: number) =>
      eventually(
        () => node.metric('streamgate_stream_partitions'),
        (count) => count === partitions,
      );

    /** Resolves with the ms for which nothing arrived, when all that was written has. */
    async function finished(): Promise<void> {
      await load.stop();
      await eventually(
        () => waiting(redis, 4),
        (count) => count === 0,
        60_000,
      );
      for (const [key, client] of clients.entries())
        await eventually(
          () => new Set((client.all('numbered') as { n: number }[]).map(({ n }) => n)).size,
          (count) => count === load.written[key],
        );
    }
    function expectAll(): void {
      for (const [key, client] of clients.entries()) {
        const judgement = judge(client, [key], load.written);
        // Elsewhere a crash between acting and recording may repeat what was being executed.
        if (backplane !== 'mailbox') judgement.doubled = 0;
        expect(judgement).toEqual(none);
      }
    }
    /** Something happens, and commands arrive again soon. */
    async function survives(happens: () => Promise<unknown>): Promise<void> {
      await happens();
      const client = clients[0]!;
      const before = client.all('numbered').length;
      await eventually(
        () => client.all('numbered').length,
        (count) => count > before + 5,
        STOPPED_MAX,
      );
    }

    test('the executing node is killed: taken over, nothing lost, repeated or reordered', async () => {
      await start();
      await survives(() => several.node(1).kill());
      await load.more(300);
      await finished();
      expectAll();
    });

    test('the executing node is stopped past its lease and continued', async () => {
      await start();
      await survives(async () => several.node(1).pause());
      await load.more(300);
      several.node(1).resume();
      await load.more(300);
      await finished();
      expectAll();
      await executes(several.node(1), 0);
    });

    test('Redis is killed and restarted from its file', async () => {
      await start();
      await survives(() => several.redis.restart());
      await load.more(300);
      await finished();
      expectAll();
    });

    test('Redis does not answer for longer than a lease lasts', async () => {
      await start();
      several.redis.pause();
      // Calls are given up and made again meanwhile; the old ones are still on their way.
      await new Promise((resolve) => setTimeout(resolve, 5000));
      await survives(async () => several.redis.resume());
      await load.more(300);
      await finished();
      expectAll();
    });

    test('the number of partitions changes from 1 to 4 to 2', async () => {
      await start();
      added.push(await add({ STREAMGATE_STREAM_PARTITIONS: '4' }));
      await load.more(600);
      // Shared out over four nodes.
      for (const node of [...several.nodes, ...added]) await executes(node, 1);
      await load.more(300);
      added.push(await add({ STREAMGATE_STREAM_PARTITIONS: '2' }));
      await load.more(600);
      await finished();
      expectAll();
      expect(await redis.get('streamgate:emit:partitions')).toBe('2');
    });

    test('a node that drains gives its partitions away at once', async () => {
      await start();
      await fetch(`${several.node(1).managementUrl}/admin/drain`, { method: 'POST' });
      await executes(several.node(1), 0);
      await load.more(300);
      await finished();
      expectAll();
    });
  },
);
