import { Client, eventually } from '../../../gateway/test/client.ts';
import { rest } from '../../../gateway/test/rest.ts';
import { tokenOf, type Person } from '../../../gateway/test/tokens.ts';
import { PATIENCE_MS, type Gateway } from './gateway.ts';

const ANN: Person = { id: '1', username: 'ann' };
const BEN: Person = { id: '2', username: 'ben' };

interface Message {
  readonly seq: number;
  readonly content: string;
}

/** Somebody in a conversation, as docs/chat.md tells clients: each connect joins from the last message on. */
class Talker {
  readonly heard: string[] = [];
  readonly client: Client;
  private readonly conversation: number;

  constructor(url: string, token: string, conversation: number) {
    this.conversation = conversation;
    this.client = new Client(`${url}/chat`, { auth: { token }, transports: ['websocket'] });
    const { socket } = this.client;
    let since = 0;
    socket.on('connect', () => {
      socket.emit('join-conversation', { conversationId: conversation, since });
    });
    socket.on('receive-message', ({ seq, content }: Message) => {
      since = seq;
      this.heard.push(content);
    });
  }

  async say(content: string): Promise<void> {
    const message = { conversation_id: this.conversation, content };
    const { error } = await this.client.ask('send-message', message);
    if (error) throw new Error(`send-message: ${error.message}`);
  }
}

/** Two people who talk on `/chat` through the ingress, and come back by themselves. */
export class Conversation {
  private readonly gateway: Gateway;
  private readonly headers: { authorization: string };
  private readonly id: number;
  private readonly ann: Talker;
  private readonly ben: Talker;
  private readonly said: string[] = [];

  private constructor(gateway: Gateway, id: number, tokens: readonly [string, string]) {
    this.gateway = gateway;
    this.headers = { authorization: `Bearer ${tokens[0]}` };
    this.id = id;
    this.ann = new Talker(gateway.url, tokens[0], id);
    this.ben = new Talker(gateway.url, tokens[1], id);
  }

  /** Makes it over REST; both have joined. */
  static async begin(gateway: Gateway): Promise<Conversation> {
    const tokens = await Promise.all([ANN, BEN].map((who) => tokenOf(who, 3600, gateway.secret)));
    const [ann, ben] = tokens as [string, string];
    const headers = { authorization: `Bearer ${ann}` };
    const made = { members: [BEN.id] };
    const { status, body } = await rest(gateway, 'POST /v1/conversations', made, null, headers);
    if (status >= 300) throw new Error(`no conversation: ${status} ${JSON.stringify(body)}`);
    const conversation = new Conversation(gateway, body.id as number, [ann, ben]);
    for (const talker of [conversation.ann, conversation.ben])
      await talker.client.next('joined-conversation', PATIENCE_MS);
    return conversation;
  }

  /**
   * Each says something to the other.
   * @returns how many messages there were so far, when both have heard all of them, once and in order, and the history has them
   */
  async exchange(about: string): Promise<number> {
    for (const [talker, text] of [
      [this.ann, `ann: ${about}`],
      [this.ben, `ben: ${about}`],
    ] as const) {
      await eventually(
        () => talker.client.socket.connected,
        (isConnected) => isConnected,
        PATIENCE_MS,
      );
      await talker.say(text);
      this.said.push(text);
    }
    const all = JSON.stringify(this.said);
    await eventually(
      async () => [this.ann.heard, this.ben.heard, await this.history()],
      (lists) => lists.every((list) => JSON.stringify(list) === all),
    );
    return this.said.length;
  }

  close(): void {
    this.ann.client.close();
    this.ben.client.close();
  }

  private async history(): Promise<string[]> {
    const request = `GET /v1/conversations/${this.id}/messages?after=0`;
    const { body } = await rest(this.gateway, request, undefined, null, this.headers);
    return (body.messages as Message[]).map(({ content }) => content);
  }
}
