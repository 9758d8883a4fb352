import { Redis } from 'ioredis';
import type { ServerOptions } from 'socket.io';
import { afterEach, beforeEach } from 'vitest';
import { type TestRedis, startRedis } from '../../gateway/test/redis.ts';
import type { CandidateOptions, Kind } from './candidates.ts';
import { Client, type ClientOptions, Node } from './cluster.ts';

/** What a test starts, and ends with it. */
export class Stage {
  /** All that the test has started. */
  nodes: Node[] = [];
  private clients: Client[] = [];
  private readonly kind: Kind;
  private readonly where: () => CandidateOptions;

  /**
   * Registers its end after each test of the suite or file that makes it.
   * @param where is asked at each start
   */
  constructor(kind: Kind, where: () => CandidateOptions) {
    this.kind = kind;
    this.where = where;
    afterEach(async () => {
      const [clients, nodes] = [this.clients, this.nodes];
      [this.clients, this.nodes] = [[], []];
      for (const client of clients) client.close();
      await Promise.all(nodes.map((node) => node.close()));
    });
  }

  readonly start = async (
    options: CandidateOptions = {},
    server: Partial<ServerOptions> = {},
  ): Promise<Node> => {
    const node = await Node.start(this.kind, { ...this.where(), ...options }, server);
    this.nodes.push(node);
    return node;
  };

  readonly connect = async (
    node: Pick<Node, 'url'>,
    options: ClientOptions = {},
  ): Promise<Client> => {
    const client = await Client.connect(node, options);
    this.clients.push(client);
    return client;
  };
}

/** With a Redis for each test. */
export class RedisStage extends Stage {
  redis!: TestRedis;
  /** To look into that Redis; connects when it is first used. */
  admin!: Redis;

  constructor(kind: Kind, options: CandidateOptions) {
    // Hooks end in the reverse of their order: nodes before the Redis that they are on.
    beforeEach(async () => {
      this.redis = await startRedis({ args: ['--appendfsync', 'no'] });
      this.admin = new Redis(this.redis.url, { lazyConnect: true });
      this.admin.on('error', () => undefined);
    });
    afterEach(async () => {
      this.admin.disconnect();
      await this.redis.stop();
    });
    super(kind, () => ({ url: this.redis.url, ...options }));
  }
}
