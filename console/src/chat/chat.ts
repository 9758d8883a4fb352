import { effect, signal } from '@preact/signals';
import type { ConversationMember, ConversationSummary } from '@streamgate/protocol/chat';
import type { AnswerOf } from '@streamgate/protocol/rest';
import { type Channel, listen } from '../channel.js';
import { channelOf, connected, rest, send, state } from '../connection.js';
import { note } from '../log.js';
import { ofRefusal, type Problem } from '../problems.js';
import { view } from '../view.js';
import { see } from './marks.js';
import { change, me, openedId, putSummary, talks } from './talks.js';

/** `away`: not asked for yet, or lost and coming back. */
export type ChatState = 'away' | 'open' | 'refused';

export const chatState = signal<ChatState>('away');
/** Why there is no chat, or why something in it failed. */
export const chatProblem = signal<Problem>();

/** Conversations that are listed, and whose messages are heard as they come. */
const LISTED = 50;

let channel: Channel | undefined;

/** Connects to `/chat`, once; it comes back by itself as the connection does. */
export function openChat(): void {
  if (channel === channelOf('/chat')) return;
  channel = channelOf('/chat');
  const { socket } = channel;
  socket.on('connect_error', (error) => {
    if (socket.active) return;
    chatState.value = 'refused';
    chatProblem.value = ofRefusal(error);
  });
  socket.on('disconnect', () => (chatState.value = socket.active ? 'away' : 'refused'));
}

effect(() => {
  if (view.value === 'chat' && connected.value) openChat();
});

/** Somebody else may connect next. */
effect(() => {
  if (state.value !== 'idle') return;
  talks.value = new Map();
  openedId.value = undefined;
  chatState.value = 'away';
  chatProblem.value = undefined;
});

listen('/chat', 'connected', () => {
  chatState.value = 'open';
  chatProblem.value = undefined;
  void told(list);
});

/** Does something in chat; what goes wrong is shown, and in the log. */
export async function told(act: () => Promise<void>): Promise<void> {
  try {
    await act();
    chatProblem.value = undefined;
  } catch (error) {
    const { message } = error as Error;
    chatProblem.value = { code: 'chat', text: message };
    note(`Chat: ${message}`);
  }
}

/** Lists the conversations and listens to each, from where it was heard last. */
async function list(): Promise<void> {
  const { conversations } = await rest<AnswerOf<'conversations'>>(
    'GET',
    `/v1/conversations?limit=${LISTED}`,
  );
  for (const summary of conversations) putSummary(summary);
  await Promise.all(conversations.map(({ id }) => attend(id)));
}

/** Hears a conversation's messages from now on; those after the last one known come first. */
export async function attend(id: number): Promise<void> {
  const { messages, loaded } = talks.value.get(id) ?? { messages: [], loaded: false };
  const since = loaded ? (messages.at(-1)?.seq ?? 0) : undefined;
  const payload = { conversationId: id, ...(since !== undefined && { since }) };
  const [{ error }] = await Promise.all([
    send('join-conversation', payload, '/chat'),
    readMembers(id),
  ]);
  if (error) throw new Error(error.message);
}

/** Who is in it, how far each has read, and who is online. */
export async function readMembers(id: number): Promise<void> {
  const { members } = await rest<AnswerOf<'conversation'>>('GET', `/v1/conversations/${id}`);
  for (const { user_id, online } of members) if (online !== undefined) see(String(user_id), online);
  change(id, () => ({ members }));
}

/** A new conversation as its members hear of it, for the list. */
export function summaryOf(
  conversation: Omit<ConversationSummary, 'peer_id' | 'last_message' | 'unread'> & {
    readonly members: readonly ConversationMember[];
  },
): ConversationSummary {
  const { members, ...summary } = conversation;
  const peer = members.find(({ user_id }) => String(user_id) !== me.value);
  return {
    ...summary,
    ...(summary.kind === 'direct' && peer && { peer_id: peer.user_id }),
    unread: 0,
  };
}
