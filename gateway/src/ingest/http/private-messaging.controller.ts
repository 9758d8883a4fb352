import { Body, Controller, Inject, Param, Query } from '@nestjs/common';
import type { CommandInput } from '@streamgate/protocol/commands';
import type { Principal } from '@streamgate/protocol/principal';
import { OPERATIONS, type AnswerOf, type BodyOf, type ParamsOf } from '@streamgate/protocol/rest';
import type { PageQuery } from '@streamgate/protocol/rest-operation';
import { userRoom } from '@streamgate/protocol/rooms';
import type { Presence } from '../../presence/presence.js';
import type { Executor } from '../execute.js';
import { EXECUTOR, PRESENCE } from './needs.js';
import { Route } from './route.js';
import { Caller } from './token-guard.js';

/** REST of document 5: `/api/gateway/*`. */
@Controller()
export class PrivateMessagingController {
  constructor(
    @Inject(EXECUTOR) private readonly executor: Executor,
    @Inject(PRESENCE) private readonly presence: Presence,
  ) {}

  @Route(OPERATIONS.send)
  async send(
    @Caller() caller: Principal,
    @Body({ schema: OPERATIONS.send.body }) { userId, event, message }: BodyOf<'send'>,
  ): Promise<AnswerOf<'send'>> {
    const { connected } = await this.sendTo(caller, [userId], event, message);
    return connected.length > 0
      ? { success: true, message: `Message sent to user ${userId}` }
      : { success: false, message: `User ${userId} is not connected` };
  }

  @Route(OPERATIONS.sendMany)
  async sendMany(
    @Caller() caller: Principal,
    @Body({ schema: OPERATIONS.sendMany.body }) { userIds, event, message }: BodyOf<'sendMany'>,
  ): Promise<AnswerOf<'sendMany'>> {
    const { connected, notConnected } = await this.sendTo(
      caller,
      [...new Set(userIds)],
      event,
      message,
    );
    return {
      success: connected.length > 0,
      message: `Message sent to ${connected.length} users`,
      userIds: connected,
      notConnected,
    };
  }

  @Route(OPERATIONS.status)
  async status(
    @Param({ schema: OPERATIONS.status.params }) { userId }: ParamsOf<'status'>,
  ): Promise<AnswerOf<'status'>> {
    const [connected = false] = await this.presence.areOnline('/', [userId]);
    return { userId, connected };
  }

  @Route(OPERATIONS.connected)
  async connected(
    @Query({ schema: OPERATIONS.connected.query }) page: PageQuery,
  ): Promise<AnswerOf<'connected'>> {
    const { users, ...rest } = await this.presence.activeUsers('/', page);
    return { connectedUsers: users.map(({ id }) => id), ...rest };
  }

  @Route(OPERATIONS.stats)
  async stats(
    @Query({ schema: OPERATIONS.stats.query }) page: PageQuery,
  ): Promise<AnswerOf<'stats'>> {
    const { users, count, ...rest } = await this.presence.activeUsers('/', page);
    return { connectedUsers: count, userIds: users.map(({ id }) => id), ...rest };
  }

  /** Emits to those who are connected, on any node. What is wrong is refused also for nobody. */
  private async sendTo(
    principal: Principal,
    userIds: readonly string[],
    event: string,
    message: unknown,
  ) {
    const caller = { door: 'http', principal } as const;
    const emitTo = (users: readonly string[]): CommandInput => ({
      action: 'emit',
      to: users.map(userRoom),
      event,
      args: [message],
    });
    this.executor.check(emitTo(userIds), caller);
    const online = await this.executor.first(this.presence.areOnline('/', userIds), caller);
    const connected = userIds.filter((_, index) => online[index]);
    const notConnected = userIds.filter((_, index) => !online[index]);
    if (connected.length > 0) await this.executor.execute(emitTo(connected), caller);
    return { connected, notConnected };
  }
}
