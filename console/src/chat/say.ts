import type { Message } from '@streamgate/protocol/chat';
import type { AnswerOf } from '@streamgate/protocol/rest';
import type { Json } from '../client-event.js';
import { rest, send } from '../connection.js';
import { attend, readMembers, summaryOf } from './chat.js';
import { merged } from './history.js';
import { markRead } from './seen.js';
import { change, dropTalk, openedId, putSummary, talks } from './talks.js';

/** What a person does in conversations. All of it throws an Error with the gateway's own words. */

/** Messages of a page of the history. */
const PAGE = 30;

/** Shows a conversation, and reads its newest messages when it is shown first. */
export async function openTalk(id: number): Promise<void> {
  openedId.value = id;
  if (!talks.value.get(id)?.loaded) {
    const { messages, nextCursor } = await page(id, `limit=${PAGE}`);
    change(id, (talk) => ({
      messages: merged(talk.messages, messages),
      loaded: true,
      older: nextCursor,
    }));
  }
  markRead(id);
}

export async function readOlder(id: number): Promise<void> {
  const before = talks.value.get(id)?.older;
  if (before === undefined) return;
  const { messages, nextCursor } = await page(id, `limit=${PAGE}&before=${before}`);
  change(id, (talk) => ({ messages: merged(talk.messages, messages), older: nextCursor }));
}

/** All after a number, which the gateway did not send. */
export async function readSince(id: number, since: number): Promise<void> {
  let from: string | undefined = String(since);
  while (from !== undefined) {
    const { messages, nextCursor }: AnswerOf<'messages'> = await page(id, `since=${from}`);
    change(id, (talk) => ({ messages: merged(talk.messages, messages) }));
    from = nextCursor;
  }
}

/** Sends a text; until it is kept, it stands in the outbox. */
export async function say(id: number, content: string, clientId = newClientId()): Promise<void> {
  change(id, ({ outbox }) => ({
    outbox: [...outbox.filter((one) => one.clientId !== clientId), { clientId, content }],
  }));
  const answer = await send(
    'send-message',
    { conversation_id: id, message_type: 'text', content, client_message_id: clientId },
    '/chat',
  );
  change(id, ({ messages, outbox }) =>
    answer.error
      ? {
          outbox: outbox.map((one) =>
            one.clientId === clientId ? { ...one, failure: answer.error.message } : one,
          ),
        }
      : {
          messages: merged(messages, [answer.data as Message]),
          outbox: outbox.filter((one) => one.clientId !== clientId),
        },
  );
}

export function setTyping(id: number, isTyping: boolean): void {
  void send('typing', { conversationId: id, isTyping }, '/chat');
}

export function edit({ id }: Message, content: string): Promise<void> {
  return act('edit-message', { message_id: id, content });
}

export function remove({ id }: Message): Promise<void> {
  return act('delete-message', { message_id: id });
}

export function react({ id }: Message, reaction: string, on: boolean): Promise<void> {
  return act(on ? 'add-reaction' : 'remove-reaction', { message_id: id, reaction });
}

export function setStatus(status: string): Promise<void> {
  return act('set-status', { status });
}

/** Begins a conversation and shows it: direct with one other, unless it has a title. */
export async function begin(members: string[], title: string): Promise<void> {
  const kind = members.length === 1 && title === '' ? 'direct' : 'group';
  const conversation = await rest<AnswerOf<'createConversation'>>('POST', '/v1/conversations', {
    kind,
    members,
    ...(title !== '' && { title }),
  });
  if (!talks.value.has(conversation.id)) putSummary(summaryOf(conversation));
  await attend(conversation.id);
  await openTalk(conversation.id);
}

export async function addMember(id: number, userId: string): Promise<void> {
  await rest('PUT', `/v1/conversations/${id}/members/${encodeURIComponent(userId)}`);
  await readMembers(id);
}

export async function leaveTalk(id: number, userId: string): Promise<void> {
  await rest('DELETE', `/v1/conversations/${id}/members/${encodeURIComponent(userId)}`);
  dropTalk(id);
}

async function act(event: string, payload: Json): Promise<void> {
  const { error } = await send(event, payload, '/chat');
  if (error) throw new Error(error.message);
}

function page(id: number, query: string): Promise<AnswerOf<'messages'>> {
  return rest('GET', `/v1/conversations/${id}/messages?${query}`);
}

/** `randomUUID` is not there on pages that came over plain HTTP. */
function newClientId(): string {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join('-');
}
