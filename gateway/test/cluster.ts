import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Client, connect, eventually, type ClientOptions } from './client.js';
import { startNode, startNodes, type NodeEnv, type TestNode } from './node.js';
import { startRedis, type TestRedis } from './redis.js';
import { rest, SERVICE, type RestAnswer } from './rest.js';
import { shown, type Person } from './tokens.js';

/** `memory`: one node. The others: two processes on one real Redis, by the backplane between them. */
export const TOPOLOGIES = ['memory', 'mailbox', 'streams', 'pubsub'] as const;
export type Topology = (typeof TOPOLOGIES)[number];

/** ISO 8601 in UTC with milliseconds, as every timestamp of the gateway. */
export const timestamp = expect.stringMatching(
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
) as string;

type Where = 'one' | 'two';

/** What a row's test has: one gateway on one node or two, its people, and a service. */
export class Cluster {
  readonly topology: Topology;
  protected readonly env: NodeEnv;
  private nodes: Record<Where, TestNode> | undefined;
  private redis: TestRedis | undefined;
  private clients: Client[] = [];
  private fences = 0;

  constructor(topology: Topology, env: NodeEnv = {}) {
    this.topology = topology;
    this.env = { ...env };
  }

  async start(): Promise<void> {
    if (this.topology === 'memory') {
      const only = await startNode(this.env);
      this.nodes = { one: only, two: only };
      return;
    }
    this.redis = await startRedis();
    const env = {
      STREAMGATE_REDIS_URL: this.redis.url,
      STREAMGATE_BACKPLANE: this.topology,
      ...this.env,
    };
    const [one, two] = (await startNodes(2, env)) as [TestNode, TestNode];
    this.nodes = { one, two };
  }

  async stop(): Promise<void> {
    await Promise.all([...new Set(Object.values(this.nodes ?? {}))].map((node) => node.stop()));
    await this.redis?.stop();
  }

  get one(): TestNode {
    return this.nodes!.one;
  }

  /** The same node as `one` on `memory`. */
  get two(): TestNode {
    return this.nodes!.two;
  }

  /** Not on `memory`. */
  get redisUrl(): string {
    return this.redis!.url;
  }

  /** Connects a person, as the documents' clients do; it has taken `connected`. */
  async connect(person: Person, where: Where = 'one', options: ClientOptions = {}) {
    const { client } = await connect(this.nodes![where].url, person, options);
    this.clients.push(client);
    return client;
  }

  /** A client that the test connects by itself, closed with the others. */
  client(where: Where, options: ClientOptions, namespace = ''): Client {
    const client = new Client(this.nodes![where].url + namespace, options);
    this.clients.push(client);
    return client;
  }

  /** The service asks the REST door of node one. */
  rest(
    request: string,
    body?: unknown,
    as: Person | null = SERVICE,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<RestAnswer> {
    return rest(this.one, request, body, as, headers);
  }

  /** A service emits any event to one user. */
  async emit(person: Person, event: string, message: unknown): Promise<void> {
    const answer = await this.rest('POST /api/gateway/send', { userId: person.id, event, message });
    expect(answer.body).toMatchObject({ success: true });
  }

  /** Waits until all that was sent to the person before is there: a marker sent through each node. */
  async settled(client: Client, person: Person): Promise<void> {
    for (const node of new Set([this.one, this.two])) {
      const fence = `fence-${++this.fences}`;
      await rest(node, 'POST /api/gateway/send', { userId: person.id, event: fence, message: {} });
      await client.next(fence);
    }
  }

  /** Ends all sessions and waits until nobody is online, so that each row starts from nothing. */
  async clear(): Promise<void> {
    for (const client of this.clients.splice(0)) client.close();
    await eventually(
      async () => (await this.rest('GET /api/gateway/connected')).body,
      (body) => body.count === 0,
    );
  }
}

/**
 * Runs the rows of one document on every topology; the names of the tests are the rows of
 * docs/contract-matrix.md.
 */
export function document(
  number: 1 | 3 | 4 | 5,
  rows: (cluster: Cluster) => void,
  env: NodeEnv = {},
): void {
  onTopologies(number, TOPOLOGIES, (topology) => new Cluster(topology, env), rows);
}

/** The same on these topologies, with clusters of the caller's own making. */
export function onTopologies<C extends Cluster>(
  number: number,
  topologies: readonly Topology[],
  create: (topology: Topology) => C,
  rows: (cluster: C) => void,
): void {
  describe(`document ${number}`, () => {
    describe.each(topologies)('on %s', (topology) => {
      const cluster = create(topology);
      beforeAll(() => cluster.start());
      afterEach(() => cluster.clear());
      afterAll(() => cluster.stop());
      rows(cluster);
    });
  });
}

/** A row of a document: what stands in its table, and the test that fails when it is broken. */
export function row(name: string, payload: string, proof: () => Promise<void>): void {
  test(`\`${name}\` ${payload}`, proof);
}

export const ALICE: Person = { id: 'alice', username: 'Alice', roles: ['student'] };
export const BOB: Person = { id: 'bob', username: 'Bob', roles: ['student'] };
export const CAROL: Person = { id: 'carol', username: 'Carol', roles: ['admin', 'teacher'] };
export const [alice, bob, carol] = [ALICE, BOB, CAROL].map(shown) as [
  ReturnType<typeof shown>,
  ReturnType<typeof shown>,
  ReturnType<typeof shown>,
];
