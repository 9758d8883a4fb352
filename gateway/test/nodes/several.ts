import { startNodes, type NodeEnv, type TestNode } from '../node.js';
import { startRedis, type TestRedis } from '../redis.js';

/** Backplanes that the suite runs over: `STREAMGATE_TEST_BACKPLANE`, a list. */
export const BACKPLANES = (
  process.env['STREAMGATE_TEST_BACKPLANE'] ?? 'mailbox,streams,pubsub'
).split(',');

/** Several nodes, processes of the built program, on one real Redis. */
export class Several {
  readonly redis: TestRedis;
  readonly nodes: TestNode[];

  private constructor(redis: TestRedis, nodes: TestNode[]) {
    this.redis = redis;
    this.nodes = nodes;
  }

  static async start(count: number, backplane: string, env: NodeEnv = {}): Promise<Several> {
    const redis = await startRedis();
    const settings = {
      STREAMGATE_REDIS_URL: redis.url,
      STREAMGATE_BACKPLANE: backplane,
      ...env,
    };
    try {
      return new Several(redis, await startNodes(count, settings));
    } catch (error) {
      await redis.stop();
      throw error;
    }
  }

  /** The node of this number, from 1. */
  node(number: number): TestNode {
    const node = this.nodes[number - 1];
    if (!node) throw new Error(`no node ${number}`);
    return node;
  }

  async stop(): Promise<void> {
    this.redis.resume();
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.redis.stop();
  }
}
