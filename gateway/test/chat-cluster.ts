import { eventually, type Client, type ClientOptions } from './client.js';
import { Cluster, onTopologies, type Topology } from './cluster.js';
import type { NodeEnv } from './node.js';
import { startPostgres, type TestPostgres } from './postgres.js';
import { rest, type RestAnswer } from './rest.js';
import { tokenOf, type Person } from './tokens.js';

/** Document 2's people have numbers. */
export const ANN: Person = { id: '1', username: 'Ann' };
export const BEN: Person = { id: '2', username: 'Ben' };
export const CIA: Person = { id: '3', username: 'Cia' };

/** `memory`: one node with an embedded database. Else two nodes and a real PostgreSQL. */
const CHAT_TOPOLOGIES = ['memory', 'mailbox'] as const;

/** A cluster whose clients connect to `/chat`. */
export class ChatCluster extends Cluster {
  private postgres: TestPostgres | undefined;
  private readonly people = new Set<string>();
  private chatFences = 0;

  constructor(topology: Topology, env: NodeEnv = {}) {
    super(topology, {
      STREAMGATE_CHAT: 'on',
      STREAMGATE_OFFLINE_SECONDS: '1',
      // The rows' people say more than anyone.
      STREAMGATE_CHAT_MESSAGES_PER_SECOND: '1000',
      STREAMGATE_CHAT_MESSAGES_BURST: '1000',
      ...env,
    });
  }

  override async start(): Promise<void> {
    if (this.topology !== 'memory') {
      this.postgres = await startPostgres();
      this.env['STREAMGATE_DATABASE_URL'] = this.postgres.url;
    }
    await super.start();
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.postgres?.stop();
  }

  /** The REST door of node one, asked by a person. */
  as(person: Person, request: string, body?: unknown): Promise<RestAnswer> {
    return rest(this.one, request, body, person);
  }

  /** As document 2's client connects, with a token beside; it has taken `connected`. */
  override async connect(
    person: Person,
    where: 'one' | 'two' = 'one',
    options: ClientOptions = {},
  ): Promise<Client> {
    this.people.add(person.id);
    const client = this.client(where, {
      auth: { token: await tokenOf(person) },
      query: { userId: person.id },
      ...options,
    });
    await client.next('connected');
    return client;
  }

  override client(where: 'one' | 'two', options: ClientOptions): Client {
    return super.client(where, options, '/chat');
  }

  /** A conversation of these, made by the first; a direct one is the same every time. */
  async conversation(...[maker, ...others]: Person[]): Promise<number> {
    const kind = others.length === 1 ? 'direct' : 'group';
    const members = others.map(({ id }) => id);
    const { body } = await this.as(maker!, 'POST /v1/conversations', { kind, members });
    return body.id as number;
  }

  /** These people in a new group, each with a session that has joined it, in turn on each node. */
  async joined(...people: Person[]): Promise<{ id: number; clients: Client[] }> {
    const { body } = await this.as(people[0]!, 'POST /v1/conversations', {
      kind: 'group',
      members: people.map(({ id }) => id),
    });
    const { id } = body as { id: number };
    const clients = [];
    for (const [index, person] of people.entries()) {
      const client = await this.connect(person, index % 2 === 0 ? 'one' : 'two');
      await client.ask('join-conversation', { conversationId: id });
      clients.push(client);
    }
    return { id, clients };
  }

  override async settled(client: Client, person: Person): Promise<void> {
    for (const node of new Set([this.one, this.two])) {
      const fence = `chat-fence-${++this.chatFences}`;
      await rest(node, 'POST /v1/commands', {
        nsp: '/chat',
        to: `user:${person.id}`,
        event: fence,
      });
      await client.next(fence);
    }
  }

  override async clear(): Promise<void> {
    await super.clear();
    for (const id of this.people)
      await eventually(
        async () => (await this.rest(`GET /v1/users/${id}?nsp=/chat`)).body,
        (body) => !body.connected,
      );
    this.people.clear();
  }
}

/** Runs the rows of document 2. */
export function chatDocument(rows: (cluster: ChatCluster) => void, env: NodeEnv = {}): void {
  onTopologies(2, CHAT_TOPOLOGIES, (topology) => new ChatCluster(topology, env), rows);
}
