import { Body, Controller, Inject, Query } from '@nestjs/common';
import { userOf, type Principal } from '@streamgate/protocol/principal';
import { OPERATIONS, type AnswerOf, type BodyOf } from '@streamgate/protocol/rest';
import type { PageQuery } from '@streamgate/protocol/rest-operation';
import { roleRoom, userRoom } from '@streamgate/protocol/rooms';
import type { ServerPayload } from '@streamgate/protocol/server-events';
import type { Presence } from '../../presence/presence.js';
import type { Executor } from '../execute.js';
import { EXECUTOR, PRESENCE } from './needs.js';
import { Route } from './route.js';
import { Caller } from './token-guard.js';

/** REST of document 3: `/websocket/*`. */
@Controller()
export class UserManagementController {
  constructor(
    @Inject(EXECUTOR) private readonly executor: Executor,
    @Inject(PRESENCE) private readonly presence: Presence,
  ) {}

  @Route(OPERATIONS.activeUsers)
  async activeUsers(
    @Query({ schema: OPERATIONS.activeUsers.query }) page: PageQuery,
  ): Promise<AnswerOf<'activeUsers'>> {
    const [active, { nextCursor: _, ...stats }] = await Promise.all([
      this.presence.activeUsers('/', page),
      this.presence.stats('/', page),
    ]);
    return { ...active, stats };
  }

  @Route(OPERATIONS.usersStats)
  usersStats(
    @Query({ schema: OPERATIONS.usersStats.query }) page: PageQuery,
  ): Promise<AnswerOf<'usersStats'>> {
    return this.presence.stats('/', page);
  }

  @Route(OPERATIONS.sendNotification)
  async sendNotification(
    @Caller() caller: Principal,
    @Body({ schema: OPERATIONS.sendNotification.body }) body: BodyOf<'sendNotification'>,
  ): Promise<AnswerOf<'sendNotification'>> {
    const [online] = await this.presence.areOnline('/', [body.userId]);
    if (!online) return { success: false, message: `User ${body.userId} is not connected` };
    await this.emit(caller, [userRoom(body.userId)], 'notification', notification(caller, body));
    return { success: true, message: `Notification sent to user ${body.userId}` };
  }

  @Route(OPERATIONS.broadcast)
  async broadcast(
    @Caller() caller: Principal,
    @Body({ schema: OPERATIONS.broadcast.body }) body: BodyOf<'broadcast'>,
  ): Promise<AnswerOf<'broadcast'>> {
    await this.emit(caller, '*', 'broadcast-notification', notification(caller, body));
    return { success: true, message: 'Broadcast sent to all users' };
  }

  @Route(OPERATIONS.sendToRole)
  async sendToRole(
    @Caller() caller: Principal,
    @Body({ schema: OPERATIONS.sendToRole.body }) body: BodyOf<'sendToRole'>,
  ): Promise<AnswerOf<'sendToRole'>> {
    await this.emit(caller, [roleRoom(body.role)], 'role-notification', {
      ...notification(caller, body),
      targetRole: body.role,
    });
    return { success: true, message: `Notification sent to role ${body.role}` };
  }

  private emit<E extends 'notification' | 'broadcast-notification' | 'role-notification'>(
    principal: Principal,
    to: string[] | '*',
    event: E,
    payload: ServerPayload<E>,
  ) {
    const caller = { door: 'http', principal } as const;
    return this.executor.execute({ action: 'emit', to, event, args: [payload] }, caller);
  }
}

function notification(
  caller: Principal,
  { message, type }: { message: string; type: string },
): ServerPayload<'notification'> {
  return { from: userOf(caller), message, type, timestamp: new Date().toISOString() };
}
