import type { Attachment, MessageType, UserStatus } from '@streamgate/protocol/chat';

/**
 * The port to where conversations and their messages are kept. Two implementations stand behind it
 * with the same SQL: PostgreSQL, and PGlite in a folder.
 *
 * Every method that returns a promise rejects with `GatewayError`
 * - `database_unavailable` (retryable) while the database is away, at once and without waiting, or
 *   when it did not answer in time; what was asked for may have happened all the same,
 * - `internal` for a fault of ours.
 *
 * The store says what is so and leaves to the caller which error that is: `undefined` is "there is
 * no such thing for this user". User ids are text here; on the wire ids made of digits are numbers.
 */

export type ConversationKind = 'direct' | 'group';
/** The owner is who made a group, or who has been in it longest since the owner left. */
export type MemberRole = 'owner' | 'member';

/** Different reactions that one user can have on one message. */
export const REACTIONS_MAX = 20;

export interface Conversation {
  readonly id: number;
  readonly kind: ConversationKind;
  readonly title: string | undefined;
  readonly createdBy: string;
  readonly createdAt: Date;
  /** When it was made, renamed, or last written in. */
  readonly updatedAt: Date;
  /** Number of the newest message, 0 when there is none; numbers start at 1 and have no gaps. */
  readonly lastSeq: number;
}

export interface Member {
  readonly userId: string;
  readonly role: MemberRole;
  readonly joinedAt: Date;
  /** The newest message that was read, or delivered, of those the user has said it of; 0: none. */
  readonly lastReadSeq: number;
  readonly lastDeliveredSeq: number;
}

export interface ConversationWithMembers extends Conversation {
  /** In the order in which they joined. */
  readonly members: readonly Member[];
}

export interface Reaction {
  readonly reaction: string;
  /** In the order in which they reacted. */
  readonly userIds: readonly string[];
}

export interface Message {
  /** Unique over all conversations; in one conversation ids rise with `seq`. */
  readonly id: number;
  readonly conversationId: number;
  readonly seq: number;
  readonly senderId: string;
  readonly type: MessageType;
  /** Empty when the message was deleted. */
  readonly content: string;
  readonly attachment: Attachment | undefined;
  readonly clientMessageId: string | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly deletedAt: Date | undefined;
  readonly reactions: readonly Reaction[];
}

export interface ConversationSummary extends Conversation {
  /** The other user of a direct conversation. */
  readonly peerId: string | undefined;
  readonly lastMessage: Message | undefined;
  /** Messages after what the user has read and after the user's own last one. */
  readonly unread: number;
}

export interface Page {
  readonly limit: number;
  /** A `nextCursor` of before; a wrong one is `invalid_payload`. */
  readonly cursor?: string | undefined;
}

export interface ConversationPage {
  /** Those written in last come first. */
  readonly conversations: readonly ConversationSummary[];
  readonly nextCursor: string | undefined;
  /** Of all pages. */
  readonly count: number;
}

export interface NewConversation {
  readonly kind: ConversationKind;
  readonly createdBy: string;
  /** Direct: exactly two different users. Group: up to `MEMBERS_MAX`, may leave out `createdBy`. */
  readonly members: readonly string[];
  readonly title?: string | undefined;
}

export interface NewMessage {
  readonly conversationId: number;
  readonly senderId: string;
  readonly type: MessageType;
  readonly content: string;
  readonly attachment?: Attachment | undefined;
  /** The sender's own id: sent again under it, the message is in the conversation once. */
  readonly clientMessageId?: string | undefined;
}

export interface Sent {
  readonly message: Message;
  /** The sender had sent it before under its `clientMessageId`; `message` is what came of that. */
  readonly duplicate: boolean;
}

export interface MessageRange {
  readonly conversationId: number;
  /** Only those with a greater number: the first `limit` of them. */
  readonly after?: number | undefined;
  /** Only those with a smaller number; without `after`: the last `limit` of them. */
  readonly before?: number | undefined;
  readonly limit: number;
}

export interface MessagePage {
  /** In the order of their numbers, whichever way one pages. */
  readonly messages: readonly Message[];
  /** There are more in the direction of paging. */
  readonly more: boolean;
}

/**
 * `missing`: no such conversation; `direct`: the two of a direct conversation stay; `full`:
 * `MEMBERS_MAX`.
 */
export type MembershipOutcome = 'changed' | 'unchanged' | 'missing' | 'direct' | 'full';

export interface Receipt {
  readonly conversationId: number;
  readonly userId: string;
  /** The last message that was read or delivered, and with it all before. */
  readonly messageId: number;
}

export interface Marked {
  /** Where the user stands now; it never goes back. */
  readonly seq: number;
  readonly unread: number;
  /** False when the user stood there already, or further. */
  readonly changed: boolean;
  /**
   * In conversations of more than `RECEIPTS_TO_ALL_MAX` members: the other members who wrote what the
   * user had not marked before, as user ids. Undefined in smaller ones, and where nothing changed.
   */
  readonly writers?: readonly string[] | undefined;
}

export interface Unread {
  readonly conversationId: number;
  readonly unread: number;
}

export interface ReactionChange {
  readonly messageId: number;
  readonly userId: string;
  readonly reaction: string;
  /** True: it is there afterwards; false: it is gone. */
  readonly on: boolean;
}

export interface Reacted {
  readonly conversationId: number;
  readonly seq: number;
  readonly changed: boolean;
}

export interface StoreHealth {
  readonly up: boolean;
  /** Since when it is up, or away. */
  readonly since: Date;
  /** Why it is away, without anything secret. */
  readonly reason: string | undefined;
}

/** A user in a conversation. */
export interface Membership {
  readonly conversationId: number;
  readonly userId: string;
}

export interface ChatStore {
  /**
   * Opens the database and brings its schema up to date, one node at a time. Resolves also when the
   * database is away, and then goes on trying by itself.
   * @throws StoreConfigError for what an operator has to put right: no such database, a wrong
   *   password, a folder that another process uses, a schema that needs a newer gateway
   */
  start(): Promise<void>;
  /** Lets what is on its way end, then closes the connections. */
  close(): Promise<void>;
  health(): StoreHealth;

  /** A direct conversation of the same two users is found, not made again: `created` is false. */
  createConversation(
    conversation: NewConversation,
  ): Promise<{ conversation: ConversationWithMembers; created: boolean }>;
  /** `undefined` also when the user is not a member. */
  conversation(
    conversationId: number,
    userId: string,
  ): Promise<ConversationWithMembers | undefined>;
  conversationsOf(userId: string, page: Page): Promise<ConversationPage>;
  /** An empty title takes it away. */
  rename(conversationId: number, title: string): Promise<Conversation | undefined>;

  /** Who comes into a conversation may read what was written before, and has nothing unread. */
  addMember(conversationId: number, userId: string): Promise<MembershipOutcome>;
  removeMember(conversationId: number, userId: string): Promise<MembershipOutcome>;
  isMember(conversationId: number, userId: string): Promise<boolean>;
  /** Of these pairs those of users who are no members (any more); one question for all. */
  strangers(pairs: readonly Membership[]): Promise<Membership[]>;
  /** User ids, up to `MEMBERS_MAX`. */
  membersOf(conversationId: number): Promise<string[]>;
  /** Users who share a conversation with the user, up to `limit` of them. */
  contactsOf(userId: string, limit: number): Promise<string[]>;

  /** `undefined`: the sender is not a member. Of one caller they are numbered in the order asked. */
  send(message: NewMessage): Promise<Sent | undefined>;
  /** Changes the text of the sender's own message; `undefined` when it is not, or was deleted. */
  edit(messageId: number, senderId: string, content: string): Promise<Message | undefined>;
  /** Empties the sender's own message and leaves its number; `undefined` as with `edit`. */
  remove(messageId: number, senderId: string): Promise<Message | undefined>;
  /** Does not ask who wants to know: see `isMember`. */
  messages(range: MessageRange): Promise<MessagePage>;

  /** What was read was delivered too. `undefined`: not a member, or no such message there. */
  markRead(receipt: Receipt): Promise<Marked | undefined>;
  markDelivered(receipt: Receipt): Promise<Marked | undefined>;
  /** Conversations with something unread, those written in last first, up to `limit`. */
  unreadOf(userId: string, limit: number): Promise<Unread[]>;
  /** `undefined`: not a member, or no such message, or deleted. Beyond `REACTIONS_MAX` unchanged. */
  react(change: ReactionChange): Promise<Reacted | undefined>;

  /** What a user says of itself, until it says something else. */
  setStatus(userId: string, status: UserStatus): Promise<void>;
  /** By user id; who has said nothing is missing. */
  statusesOf(userIds: readonly string[]): Promise<Map<string, UserStatus>>;
}

/** Something that an operator has to put right; its message is for the log and has no secrets. */
export class StoreConfigError extends Error {
  override readonly name = 'StoreConfigError';
}
