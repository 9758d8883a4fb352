import { MEMBERS_MAX, wireId } from '@streamgate/protocol/chat';
import type { Conversation, ConversationWithMembers } from '@streamgate/protocol/chat';
import type {
  ChatServerEventName,
  ChatServerPayload,
} from '@streamgate/protocol/chat-server-events';
import { GatewayError } from '@streamgate/protocol/errors';
import { hasRole, type Principal } from '@streamgate/protocol/principal';
import type { AnswerOf, BodyOf, QueryOf } from '@streamgate/protocol/rest';
import type { PageQuery } from '@streamgate/protocol/rest-operation';
import { userRoom } from '@streamgate/protocol/rooms';
import type { Backplane } from '../backplane/backplane.js';
import { announce } from '../backplane/forward.js';
import type { Config } from '../config.js';
import type { Presence } from '../presence/presence.js';
import { Rate } from './rates.js';
import type * as kept from './store/chat-store.js';
import {
  conversationOnWire,
  conversationSummaryOnWire,
  conversationWithMembersOnWire,
  messageOnWire,
} from './wire.js';

export interface ConversationsParts {
  readonly config: Pick<
    Config,
    'chatMessagesBurst' | 'chatMessagesPerSecond' | 'emitRoles' | 'pageSize'
  >;
  readonly store: kept.ChatStore;
  readonly backplane: Backplane;
  readonly presence: Presence;
  /** Who is listening where, on all nodes. */
  readonly rooms: {
    /** Resolves when no session of the user is in the conversation any more. */
    leaveAll(conversationId: number, userId: string): Promise<void>;
  };
}

/**
 * Whose conversations there are, who is in them, and what was said: all that is not said live. Whoever is
 * not a service changes as much as it may say, and then hears `rate_limited`: every change is told.
 */
export class Conversations {
  private readonly serviceRoles: readonly string[];
  private readonly changes: Rate;

  constructor(private readonly parts: ConversationsParts) {
    // Where anyone may emit, not everyone may read what others write.
    const { chatMessagesBurst, chatMessagesPerSecond, emitRoles } = parts.config;
    this.serviceRoles = emitRoles.filter((role) => role !== '*');
    this.changes = new Rate(chatMessagesPerSecond, chatMessagesBurst);
  }

  /**
   * Makes a conversation, or finds the direct one of the two; its members hear of a new one.
   * @throws GatewayError `invalid_payload` for a direct conversation of other than two,
   *   `conversation_full`, `database_unavailable`
   */
  async create(
    caller: Principal,
    { kind, members, title }: BodyOf<'createConversation'>,
  ): Promise<{ conversation: ConversationWithMembers; created: boolean }> {
    const { store } = this.parts;
    const users = new Set(members);
    const forOthers = this.isService(caller) && (kind === 'group' || users.size === 2);
    if (!forOthers) users.add(caller.userId);
    if (kind === 'direct' && users.size !== 2)
      throw new GatewayError('invalid_payload', 'A direct conversation has two users');
    if (users.size > MEMBERS_MAX) throw new GatewayError('conversation_full');
    this.takeChange(caller);
    const createdBy = caller.userId;
    const found = await store.createConversation({ kind, createdBy, members: [...users], title });
    const conversation = conversationWithMembersOnWire(found.conversation);
    if (found.created) this.tell([...users].map(userRoom), 'conversation-created', conversation);
    return { conversation, created: found.created };
  }

  /**
   * Those of the caller, written in last first.
   * @throws GatewayError `invalid_payload` for a malformed cursor, `database_unavailable`
   */
  async list(
    { userId }: Principal,
    { limit = this.parts.config.pageSize, cursor }: PageQuery,
  ): Promise<AnswerOf<'conversations'>> {
    const page = await this.parts.store.conversationsOf(userId, { limit, cursor });
    return {
      conversations: page.conversations.map(conversationSummaryOnWire),
      count: page.count,
      ...(page.nextCursor !== undefined && { nextCursor: page.nextCursor }),
    };
  }

  /** With who is online. @throws GatewayError `conversation_not_found`, `database_unavailable` */
  async find(caller: Principal, id: number): Promise<AnswerOf<'conversation'>> {
    const found = await this.ofMember(caller, id);
    const online = await this.parts.presence.areOnlineIfKnown(
      '/chat',
      found.members.map(({ userId }) => userId),
    );
    const conversation = conversationWithMembersOnWire(found);
    if (!online) return conversation;
    const members = conversation.members.map((member, index) => ({
      ...member,
      online: online[index] ?? false,
    }));
    return { ...conversation, members };
  }

  /**
   * Its members hear of the new title.
   * @throws GatewayError `conversation_not_found`, `conversation_fixed`, `database_unavailable`
   */
  async rename(caller: Principal, id: number, title: string): Promise<Conversation> {
    const { store } = this.parts;
    this.takeChange(caller);
    const { kind, members } = await this.ofMember(caller, id);
    if (kind === 'direct') throw new GatewayError('conversation_fixed');
    const renamed = await store.rename(id, title);
    if (!renamed) throw new GatewayError('conversation_not_found');
    const conversation = conversationOnWire(renamed);
    this.tell(roomsOf(members), 'conversation-updated', conversation);
    return conversation;
  }

  /**
   * A member takes another user in, who may read what was written before; also a service does.
   * @throws GatewayError `conversation_not_found`, `conversation_fixed`, `conversation_full`,
   *   `database_unavailable`
   */
  async addMember(caller: Principal, id: number, userId: string): Promise<void> {
    const { store } = this.parts;
    this.takeChange(caller);
    if (!this.isService(caller) && !(await store.isMember(id, caller.userId)))
      throw new GatewayError('conversation_not_found');
    if (!isChange(await store.addMember(id, userId))) return;
    const conversation = await store.conversation(id, userId);
    // Taken out again meanwhile: whoever did that has said so.
    if (!conversation) return;
    this.tell(roomsOf(conversation.members), 'member-added', memberChange(caller, id, userId));
    this.tell(
      [userRoom(userId)],
      'conversation-created',
      conversationWithMembersOnWire(conversation),
    );
  }

  /**
   * A member leaves, or the owner or a service takes it out; its sessions leave at once, on all nodes.
   * @throws GatewayError `conversation_not_found`, `conversation_fixed`, `forbidden`,
   *   `database_unavailable`
   */
  async removeMember(caller: Principal, id: number, userId: string): Promise<void> {
    const { store, rooms } = this.parts;
    this.takeChange(caller);
    if (!(await this.mayRemove(caller, id, userId))) throw new GatewayError('forbidden');
    const changed = isChange(await store.removeMember(id, userId));
    await rooms.leaveAll(id, userId);
    if (!changed) return;
    const left = await store.membersOf(id);
    this.tell([...left, userId].map(userRoom), 'member-removed', memberChange(caller, id, userId));
  }

  /**
   * Messages of a conversation by page.
   * @throws GatewayError `conversation_not_found`, `database_unavailable`
   */
  async history(
    { userId }: Principal,
    id: number,
    { before, after, since = after, limit = this.parts.config.pageSize }: QueryOf<'messages'>,
  ): Promise<AnswerOf<'messages'>> {
    const { store } = this.parts;
    if (!(await store.isMember(id, userId))) throw new GatewayError('conversation_not_found');
    const page = await store.messages({ conversationId: id, before, after: since, limit });
    const edge = since === undefined ? page.messages[0] : page.messages.at(-1);
    return {
      messages: page.messages.map(messageOnWire),
      ...(page.more && edge && { nextCursor: String(edge.seq) }),
    };
  }

  private async ofMember({ userId }: Principal, id: number): Promise<kept.ConversationWithMembers> {
    const found = await this.parts.store.conversation(id, userId);
    if (!found) throw new GatewayError('conversation_not_found');
    return found;
  }

  /** @throws GatewayError `conversation_not_found` */
  private async mayRemove(caller: Principal, id: number, userId: string): Promise<boolean> {
    if (this.isService(caller)) return true;
    const { members } = await this.ofMember(caller, id);
    const own = members.find((member) => member.userId === caller.userId);
    return caller.userId === userId || own?.role === 'owner';
  }

  /** @throws GatewayError `rate_limited` */
  private takeChange(caller: Principal): void {
    if (!this.isService(caller)) this.changes.take(caller.userId);
  }

  private isService(caller: Principal): boolean {
    return hasRole(caller, this.serviceRoles);
  }

  private tell<E extends ChatServerEventName>(
    rooms: readonly string[],
    event: E,
    payload: ChatServerPayload<E>,
  ): void {
    announce(this.parts.backplane, { namespace: '/chat', to: rooms, event, args: [payload] });
  }
}

function roomsOf(members: readonly kept.Member[]): string[] {
  return members.map(({ userId }) => userRoom(userId));
}

function memberChange({ userId: by }: Principal, conversationId: number, userId: string) {
  const timestamp = new Date().toISOString();
  return { conversationId, userId: wireId(userId), by: wireId(by), timestamp };
}

/** @throws GatewayError `conversation_not_found`, `conversation_fixed`, `conversation_full` */
function isChange(outcome: kept.MembershipOutcome): boolean {
  if (outcome === 'missing') throw new GatewayError('conversation_not_found');
  if (outcome === 'direct') throw new GatewayError('conversation_fixed');
  if (outcome === 'full') throw new GatewayError('conversation_full');
  return outcome === 'changed';
}
