import type { Conversation, ConversationWithMembers } from '@streamgate/protocol/chat';
import type { AnswerOf, BodyOf, QueryOf } from '@streamgate/protocol/rest';
import type { PageQuery } from '@streamgate/protocol/rest-operation';
import type { Principal } from '@streamgate/protocol/principal';

/** What the composition root provides to the REST door. */
export const CHAT = Symbol('Chat');
export const CONFIG = Symbol('Config');
export const EXECUTOR = Symbol('Executor');
export const PRESENCE = Symbol('Presence');
export const VERIFY_TOKEN = Symbol('VerifyToken');

/**
 * The conversations of people, for `/v1/conversations`. Every method throws `conversation_not_found`
 * also for those who are not members, and `database_unavailable`; those that change something,
 * `rate_limited`.
 */
export interface Conversations {
  /**
   * @throws GatewayError `invalid_payload` for a direct conversation of other than two,
   *   `conversation_full`
   */
  create(
    caller: Principal,
    wanted: BodyOf<'createConversation'>,
  ): Promise<{ conversation: ConversationWithMembers; created: boolean }>;
  /** @throws GatewayError `invalid_payload` for a malformed cursor */
  list(caller: Principal, page: PageQuery): Promise<AnswerOf<'conversations'>>;
  find(caller: Principal, id: number): Promise<AnswerOf<'conversation'>>;
  /** @throws GatewayError `conversation_fixed` */
  rename(caller: Principal, id: number, title: string): Promise<Conversation>;
  /** @throws GatewayError `conversation_fixed`, `conversation_full` */
  addMember(caller: Principal, id: number, userId: string): Promise<void>;
  /** @throws GatewayError `conversation_fixed`, `forbidden` */
  removeMember(caller: Principal, id: number, userId: string): Promise<void>;
  history(caller: Principal, id: number, range: QueryOf<'messages'>): Promise<AnswerOf<'messages'>>;
}

/** @throws GatewayError `authentication_failed`, `token_expired`, `jwks_unavailable` */
export type VerifyToken = (token: string) => Promise<Principal>;
