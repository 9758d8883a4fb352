import { Body, Controller, Inject, Optional, Param, Query, Res } from '@nestjs/common';
import type { Response } from 'express';
import { wireId } from '@streamgate/protocol/chat';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Principal } from '@streamgate/protocol/principal';
import {
  OPERATIONS,
  type AnswerOf,
  type BodyOf,
  type ParamsOf,
  type QueryOf,
} from '@streamgate/protocol/rest';
import { CHAT, type Conversations } from './needs.js';
import { Route } from './route.js';
import { Caller } from './token-guard.js';

/** REST of chat: `/v1/conversations`. */
@Controller()
export class ConversationsController {
  constructor(@Optional() @Inject(CHAT) private readonly given: Conversations | undefined) {}

  @Route(OPERATIONS.createConversation)
  async create(
    @Caller() caller: Principal,
    @Body({ schema: OPERATIONS.createConversation.body }) wanted: BodyOf<'createConversation'>,
    @Res({ passthrough: true }) response: Response,
  ): Promise<AnswerOf<'createConversation'>> {
    const { conversation, created } = await this.chat.create(caller, wanted);
    if (created) response.status(201).location(`/v1/conversations/${conversation.id}`);
    return conversation;
  }

  @Route(OPERATIONS.conversations)
  list(
    @Caller() caller: Principal,
    @Query({ schema: OPERATIONS.conversations.query }) page: QueryOf<'conversations'>,
  ): Promise<AnswerOf<'conversations'>> {
    return this.chat.list(caller, page);
  }

  @Route(OPERATIONS.conversation)
  find(
    @Caller() caller: Principal,
    @Param({ schema: OPERATIONS.conversation.params }) { id }: ParamsOf<'conversation'>,
  ): Promise<AnswerOf<'conversation'>> {
    return this.chat.find(caller, id);
  }

  @Route(OPERATIONS.renameConversation)
  rename(
    @Caller() caller: Principal,
    @Param({ schema: OPERATIONS.renameConversation.params }) { id }: ParamsOf<'conversation'>,
    @Body({ schema: OPERATIONS.renameConversation.body }) { title }: BodyOf<'renameConversation'>,
  ): Promise<AnswerOf<'renameConversation'>> {
    return this.chat.rename(caller, id, title);
  }

  @Route(OPERATIONS.addMember)
  async addMember(
    @Caller() caller: Principal,
    @Param({ schema: OPERATIONS.addMember.params }) { id, userId }: ParamsOf<'addMember'>,
  ): Promise<AnswerOf<'addMember'>> {
    await this.chat.addMember(caller, id, userId);
    return { conversation_id: id, user_id: wireId(userId), member: true };
  }

  @Route(OPERATIONS.removeMember)
  async removeMember(
    @Caller() caller: Principal,
    @Param({ schema: OPERATIONS.removeMember.params }) { id, userId }: ParamsOf<'removeMember'>,
  ): Promise<AnswerOf<'removeMember'>> {
    await this.chat.removeMember(caller, id, userId);
    return { conversation_id: id, user_id: wireId(userId), member: false };
  }

  @Route(OPERATIONS.messages)
  messages(
    @Caller() caller: Principal,
    @Param({ schema: OPERATIONS.messages.params }) { id }: ParamsOf<'messages'>,
    @Query({ schema: OPERATIONS.messages.query }) range: QueryOf<'messages'>,
  ): Promise<AnswerOf<'messages'>> {
    return this.chat.history(caller, id, range);
  }

  /** @throws GatewayError `chat_disabled` */
  private get chat(): Conversations {
    if (!this.given) throw new GatewayError('chat_disabled');
    return this.given;
  }
}
