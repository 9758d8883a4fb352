import type { Message } from '@streamgate/protocol/chat';
import type { ChatServerPayload } from '@streamgate/protocol/chat-server-events';
import { listen } from '../channel.js';
import { send } from '../connection.js';
import { attend, readMembers, summaryOf, told } from './chat.js';
import { marked, merged, reacted } from './history.js';
import { readSince } from './say.js';
import { isSeen, markRead } from './seen.js';
import { change, dropTalk, me, putSummary, talks } from './talks.js';

/** What the gateway says on `/chat`, taken into what the page knows. */

listen('/chat', 'receive-message', (message: Message) => {
  const { conversation_id: id, sender_id, seq } = message;
  const isOwn = String(sender_id) === me.value;
  const isNew = seq > (talks.value.get(id)?.summary.last_seq ?? 0);
  change(id, ({ summary, messages, outbox, typing }) => ({
    messages: merged(messages, [message]),
    summary: {
      ...summary,
      ...(isNew && { last_message: message, last_seq: seq }),
      unread: summary.unread + (isNew && !isOwn ? 1 : 0),
    },
    outbox: outbox.filter(({ clientId }) => clientId !== message.client_message_id),
    typing: typing.filter((user) => user !== String(sender_id)),
  }));
  if (isOwn) return;
  if (isSeen(id)) markRead(id);
  else void send('message-delivered', { conversation_id: id, message_id: message.id }, '/chat');
});

for (const event of ['message-updated', 'message-deleted'])
  listen('/chat', event, (message: Message) => {
    change(message.conversation_id, ({ messages, summary }) => ({
      messages: merged(messages, [message]),
      summary: summary.last_seq === message.seq ? { ...summary, last_message: message } : summary,
    }));
  });

type Reaction = ChatServerPayload<'reaction-added'>;
for (const [event, on] of [
  ['reaction-added', true],
  ['reaction-removed', false],
] as const)
  listen('/chat', event, ({ conversation_id, message_id, reaction, user_id }: Reaction) => {
    change(conversation_id, ({ messages }) => ({
      messages: messages.map((message) =>
        message.id === message_id ? reacted(message, reaction, user_id, on) : message,
      ),
    }));
  });

type Receipt = ChatServerPayload<'message-read'>;
for (const [event, mark] of [
  ['message-read', 'last_read_seq'],
  ['message-delivered', 'last_delivered_seq'],
] as const)
  listen('/chat', event, ({ conversation_id, user_id, seq }: Receipt) => {
    change(conversation_id, ({ members }) => ({
      members: marked(members, String(user_id), mark, seq),
    }));
  });

listen('/chat', 'unread-counts', ({ conversations }: ChatServerPayload<'unread-counts'>) => {
  for (const { conversationId, unread } of conversations)
    change(conversationId, ({ summary }) => ({ summary: { ...summary, unread } }));
});

listen(
  '/chat',
  'user-typing',
  ({ conversationId, userId, isTyping }: ChatServerPayload<'user-typing'>) => {
    change(conversationId, ({ typing }) => {
      const others = typing.filter((user) => user !== String(userId));
      return { typing: isTyping ? [...others, String(userId)] : others };
    });
  },
);

listen('/chat', 'reload-since', ({ conversationId, since }: ChatServerPayload<'reload-since'>) => {
  void told(() => readSince(conversationId, since));
});

listen(
  '/chat',
  'conversation-created',
  (conversation: ChatServerPayload<'conversation-created'>) => {
    putSummary(summaryOf(conversation));
    change(conversation.id, () => ({ members: conversation.members }));
    void told(() => attend(conversation.id));
  },
);

listen(
  '/chat',
  'conversation-updated',
  (conversation: ChatServerPayload<'conversation-updated'>) => {
    change(conversation.id, ({ summary }) => ({ summary: { ...summary, ...conversation } }));
  },
);

listen('/chat', 'member-added', ({ conversationId }: ChatServerPayload<'member-added'>) => {
  void told(() => readMembers(conversationId));
});

listen(
  '/chat',
  'member-removed',
  ({ conversationId, userId }: ChatServerPayload<'member-removed'>) => {
    if (String(userId) === me.value) dropTalk(conversationId);
    else
      change(conversationId, ({ members }) => ({
        members: members.filter(({ user_id }) => user_id !== userId),
      }));
  },
);
