import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type Client, type ClientOptions, connect } from './client.js';
import { startNode, type NodeEnv, type TestNode } from './node.js';
import { rest } from './rest.js';
import type { Person } from './tokens.js';

/** People whose ids are digits, as document 2's; they travel as numbers. */
export const ANN: Person = { id: '1', username: 'ann' };
export const BOB: Person = { id: '2', username: 'bob' };
export const CARL: Person = { id: '3', username: 'carl' };

/** One node with an embedded database in memory, and people who chat on it. */
export class ChatNode {
  private node: TestNode | undefined;
  private readonly clients: Client[] = [];

  /** Starts and stops with the tests of the file; clients end with each test. */
  constructor(env: NodeEnv = {}) {
    beforeAll(async () => {
      this.node = await startNode({ STREAMGATE_CHAT: 'on', ...env });
    });
    afterEach(() => {
      for (const client of this.clients.splice(0)) client.close();
    });
    afterAll(() => this.node?.stop());
  }

  get url(): string {
    return this.node!.url;
  }

  /** A session on `/chat`; it has taken `connected` and `unread-counts`. */
  async connect(person: Person, options: ClientOptions = {}): Promise<Client> {
    const { client } = await connect(`${this.url}/chat`, person, options);
    this.clients.push(client);
    await client.next('unread-counts');
    return client;
  }

  /** A group of the people, made over REST by the first; its id. */
  async group(...people: readonly Person[]): Promise<number> {
    const body = { kind: 'group', members: people.map(({ id }) => id) };
    return (await this.ask(people[0]!, 'POST /v1/conversations', body)).id;
  }

  /** Over REST, as the person; must be answered well. */
  // oxlint-disable-next-line typescript/no-explicit-any
  async ask(person: Person, request: string, body?: unknown): Promise<any> {
    const answer = await rest(this.node!, request, body, person);
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    return answer.body;
  }

  /** The person joins, and has taken the answer. */
  async join(client: Client, conversationId: number, since?: number): Promise<number> {
    const { data } = await client.ask('join-conversation', { conversationId, since });
    expect(await client.next('joined-conversation')).toEqual(data);
    return data.lastSeq;
  }
}

/** Texts of the messages that the client has received and not taken. */
export function textsOf(client: Client): string[] {
  return client.all('receive-message').map((message) => (message as { content: string }).content);
}

/** Sends a text; what is kept of it. */
// oxlint-disable-next-line typescript/no-explicit-any
export async function say(client: Client, conversationId: number, content: string): Promise<any> {
  const { data } = await client.ask('send-message', { conversation_id: conversationId, content });
  return data;
}
