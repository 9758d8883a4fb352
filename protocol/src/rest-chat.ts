import { z } from 'zod';
import {
  ChatId,
  ChatUserId,
  Conversation,
  ConversationKind,
  ConversationMember,
  ConversationSummary,
  ConversationWithMembers,
  MEMBERS_MAX,
  Message,
  Title,
  WireId,
} from './chat.js';
import type { ErrorCode } from './errors.js';
import { NextCursor, Page, type Operation } from './rest-operation.js';

/** What a chat client asks for beside its socket: `/v1/conversations`. */

const CONVERSATION = {
  id: 1,
  kind: 'group',
  title: 'Trip',
  created_by: 1,
  created_at: '2026-11-21T15:00:00.000Z',
  updated_at: '2026-11-21T15:04:05.678Z',
  last_seq: 1,
} as const;
const MESSAGE = {
  id: 10,
  conversation_id: 1,
  sender_id: 1,
  message_type: 'text',
  content: 'Hello!',
  seq: 1,
  client_message_id: 'a1',
  created_at: '2026-11-21T15:04:05.678Z',
  updated_at: '2026-11-21T15:04:05.678Z',
} as const;
const MEMBER = {
  role: 'member',
  joined_at: '2026-11-21T15:00:00.000Z',
  last_read_seq: 0,
  last_delivered_seq: 0,
} as const;

const NewConversation = z
  .object({
    kind: ConversationKind.default('direct').meta({
      description: '`direct`: two users, one conversation for a pair; `group`: any number',
    }),
    members: z.array(ChatUserId).min(1).max(MEMBERS_MAX).meta({
      description: 'User ids; your own is added, unless you make it for others as a service',
    }),
    title: Title.optional().meta({ description: 'Of a group' }),
  })
  .refine(({ kind, title }) => kind === 'group' || title === undefined, {
    error: 'a direct conversation has no title',
  })
  .meta({
    id: 'NewConversation',
    examples: [
      { kind: 'direct', members: [2] },
      { kind: 'group', members: [2, 3], title: 'Trip' },
    ],
  });

const ConversationAnswer = ConversationWithMembers.extend({
  members: z.array(
    ConversationMember.extend({
      online: z.boolean().optional().meta({ description: 'Absent while nobody can tell' }),
    }),
  ),
}).meta({
  id: 'ConversationAnswer',
  examples: [
    {
      ...CONVERSATION,
      members: [
        {
          ...MEMBER,
          user_id: 1,
          role: 'owner',
          last_read_seq: 1,
          last_delivered_seq: 1,
          online: true,
        },
        { ...MEMBER, user_id: 2 },
      ],
    },
  ],
});

const ConversationsAnswer = z
  .object({
    conversations: z.array(ConversationSummary).meta({
      description: 'Those written in last come first',
    }),
    count: z.int().meta({ description: 'Of all pages' }),
    nextCursor: NextCursor,
  })
  .meta({
    id: 'ConversationsAnswer',
    examples: [
      { conversations: [{ ...CONVERSATION, last_message: MESSAGE, unread: 1 }], count: 1 },
    ],
  });

const Renaming = z
  .object({ title: Title.meta({ description: 'An empty one takes the title away' }) })
  .meta({ id: 'Renaming', examples: [{ title: 'Trip to Hanoi' }] });

const RenamedAnswer = Conversation.meta({ id: 'RenamedAnswer', examples: [CONVERSATION] });

const MembershipAnswer = z
  .object({
    conversation_id: z.int(),
    user_id: WireId,
    member: z.boolean().meta({ description: 'Whether the user is a member now' }),
  })
  .meta({
    id: 'MembershipAnswer',
    examples: [{ conversation_id: 1, user_id: 3, member: true }],
  });

const Position = z.coerce.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).optional();

const MessagesQuery = z
  .object({
    before: Position.meta({ description: 'The last messages with a smaller `seq`: backwards' }),
    after: Position.meta({ description: 'The first messages with a greater `seq`: forwards' }),
    since: Position.meta({
      description: 'As `after`, by its name in `join-conversation` and `reload-since`',
    }),
    limit: Page.shape.limit,
  })
  .refine(
    ({ before, after, since }) =>
      [before, after, since].filter((position) => position !== undefined).length <= 1,
    { error: 'one of before, after and since' },
  );

const MessagesAnswer = z
  .object({
    messages: z.array(Message).meta({
      description: 'By `seq`, whichever way one pages; a deleted one has no content',
    }),
    nextCursor: z.string().optional().meta({
      description:
        'Give it back as `before` when paging backwards, else as `after`; absent on the last page',
    }),
  })
  .meta({ id: 'MessagesAnswer', examples: [{ messages: [MESSAGE] }] });

const ConversationParams = z.object({ id: ChatId });
const MemberParams = ConversationParams.extend({ userId: ChatUserId });

const CHAT_CODES: readonly ErrorCode[] = ['chat_disabled', 'database_unavailable'];
const OF_ONE: readonly ErrorCode[] = [...CHAT_CODES, 'conversation_not_found'];
const OF_MEMBERS: readonly ErrorCode[] = [...OF_ONE, 'conversation_fixed', 'rate_limited'];

export const CHAT_OPERATIONS = {
  createConversation: {
    method: 'post',
    path: '/v1/conversations',
    summary: 'Make a conversation; its members hear `conversation-created`',
    permission: 'anyone',
    body: NewConversation,
    answer: ConversationAnswer,
    creates: true,
    codes: [...CHAT_CODES, 'conversation_full', 'rate_limited'],
  },
  conversations: {
    method: 'get',
    path: '/v1/conversations',
    summary: 'Your conversations, each with its last message and how many are unread',
    permission: 'anyone',
    query: Page,
    answer: ConversationsAnswer,
    codes: CHAT_CODES,
  },
  conversation: {
    method: 'get',
    path: '/v1/conversations/{id}',
    summary: 'A conversation and its members',
    permission: 'anyone',
    params: ConversationParams,
    answer: ConversationAnswer,
    codes: OF_ONE,
  },
  renameConversation: {
    method: 'patch',
    path: '/v1/conversations/{id}',
    summary: 'Give a group another title; its members hear `conversation-updated`',
    permission: 'anyone',
    params: ConversationParams,
    body: Renaming,
    answer: RenamedAnswer,
    codes: OF_MEMBERS,
  },
  addMember: {
    method: 'put',
    path: '/v1/conversations/{id}/members/{userId}',
    summary: 'Take a user into a group; its members hear `member-added`',
    permission: 'anyone',
    params: MemberParams,
    answer: MembershipAnswer,
    codes: [...OF_MEMBERS, 'conversation_full'],
  },
  removeMember: {
    method: 'delete',
    path: '/v1/conversations/{id}/members/{userId}',
    summary:
      'Leave a group, or take a user out of it as its owner; its members hear `member-removed`',
    permission: 'anyone',
    params: MemberParams,
    answer: MembershipAnswer,
    codes: OF_MEMBERS,
  },
  messages: {
    method: 'get',
    path: '/v1/conversations/{id}/messages',
    summary: 'Messages of a conversation by page; without a position, the newest',
    permission: 'anyone',
    params: ConversationParams,
    query: MessagesQuery,
    answer: MessagesAnswer,
    codes: OF_ONE,
  },
} as const satisfies Record<string, Operation>;
