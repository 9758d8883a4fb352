/** A day in document 2: conversations of four in which people type, say something, and read what others say. */
import http from 'k6/http';
import { after } from '../lib/timers.ts';
import { Person } from './crowd.ts';
import { Ledger } from './ledger.ts';
import { account, arrival, measures } from './measures.ts';
import { crowd, INTACT } from './options.ts';
import { settings, tokenOf, urlOf, userOf } from './settings.ts';
import { speakTogether } from './speakers.ts';

const { sessions, seconds, rates, bytes } = settings;
const MEMBERS = 4;
const CONVERSATIONS = Math.ceil(sessions / MEMBERS);
/** Of each conversation. */
const MESSAGES = Math.floor((rates[0]! * seconds) / CONVERSATIONS);
const TYPING_MS = 300;
const READ_EVERY = 5;
const ANSWER_MS = 5000;
const pad = 'x'.repeat(bytes);

export const options = crowd(
  { ...INTACT, load_refused: ['count==0'], load_delivery: ['p(99)<500'] },
  false,
);

interface Message {
  readonly id: number | string;
  readonly seq: number;
  readonly sender_id: number | string;
  readonly content: string;
}

type Answer = { error?: unknown } | undefined;

/** Makes the conversations. @returns their ids */
export function setup(): (number | string)[] {
  return Array.from({ length: CONVERSATIONS }, (_, index) => index).map((conversation) => {
    const members = Array.from({ length: MEMBERS }, (_, index) => index)
      .map((member) => conversation * MEMBERS + member)
      .filter((index) => index < sessions);
    const answer = http.post(
      `${urlOf(conversation)}/v1/conversations`,
      JSON.stringify({ kind: 'group', members: members.map(userOf) }),
      {
        headers: {
          authorization: `Bearer ${tokenOf(members[0]!)}`,
          'content-type': 'application/json',
        },
      },
    );
    const { id } = answer.json() as { id?: number | string };
    if (id === undefined) throw new Error(`no conversation was made: ${answer.body as string}`);
    return id;
  });
}

class Member extends Person {
  private readonly ledger = new Ledger();
  private readonly conversation: number;
  private readonly id: number | string;
  private last = 0;
  private hasJoined = false;

  constructor(index: number, ids: readonly (number | string)[]) {
    super(index, '/chat');
    const { socket } = this;
    this.conversation = Math.floor(index / MEMBERS);
    const id = (this.id = ids[this.conversation]!);
    socket.on('connect', () =>
      socket.emit(
        'join-conversation',
        { conversationId: id, since: this.last },
        (answer: Answer) => {
          this.answered(answer);
          this.hasJoined = true;
        },
      ),
    );
    socket.on('receive-message', (message: Message) => this.hear(message));
  }

  override get isReady(): boolean {
    return this.isConnected && this.hasJoined;
  }

  /** Says its own of the conversation's messages, which members say in turn. */
  speak(began: number, nth = this.index % MEMBERS): void {
    if (nth >= MESSAGES) return;
    const { socket, id } = this;
    const at = began + ((nth * CONVERSATIONS + this.conversation) * 1000) / rates[0]!;
    if (at - began > TYPING_MS)
      after(at - TYPING_MS - Date.now(), () =>
        socket.emit('typing', { conversationId: id, isTyping: true }),
      );
    after(at - Date.now(), () => {
      const message = {
        conversation_id: id,
        content: `${at} ${pad}`,
        client_message_id: `${settings.run}-${this.conversation}-${nth}`,
      };
      socket
        .timeout(ANSWER_MS)
        .emit('send-message', message, (error: Error | null, answer: Answer) =>
          this.answered(error ? { error } : answer),
        );
      this.speak(began, nth + MEMBERS);
    });
  }

  get isComplete(): boolean {
    return this.ledger.lost(MESSAGES) === 0;
  }

  account(): void {
    account(this.ledger, MESSAGES);
  }

  private answered(answer: Answer): void {
    measures.refused.add(answer?.error ? 1 : 0);
  }

  private hear({ id, seq, sender_id, content }: Message): void {
    measures.delivery.add(arrival(this.socket, Number(content.split(' ', 1)[0])));
    this.ledger.take(seq - 1);
    this.last = Math.max(this.last, seq);
    if (seq % READ_EVERY === 0 && String(sender_id) !== userOf(this.index))
      this.socket.emit('message-read', { message_id: id, conversation_id: this.id });
  }
}

export default function (ids: (number | string)[]): Promise<void> {
  return speakTogether((index) => new Member(index, ids));
}
