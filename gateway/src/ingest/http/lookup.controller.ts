import { Controller, Inject, Param, Query } from '@nestjs/common';
import { OPERATIONS, type AnswerOf, type ParamsOf, type QueryOf } from '@streamgate/protocol/rest';
import type { Presence } from '../../presence/presence.js';
import { PRESENCE } from './needs.js';
import { Route } from './route.js';

/** REST of who is where: `/v1/users` and `/v1/rooms`. */
@Controller()
export class LookupController {
  constructor(@Inject(PRESENCE) private readonly presence: Presence) {}

  @Route(OPERATIONS.user)
  async user(
    @Param({ schema: OPERATIONS.user.params }) { userId }: ParamsOf<'user'>,
    @Query({ schema: OPERATIONS.user.query }) { nsp }: QueryOf<'user'>,
  ): Promise<AnswerOf<'user'>> {
    const found = await this.presence.find(nsp, userId);
    if (!found) return { userId, connected: false, sessions: 0 };
    const { sessions, connectedAt, ...user } = found;
    return { userId, connected: true, sessions, user, connectedAt };
  }

  @Route(OPERATIONS.room)
  async room(
    @Param({ schema: OPERATIONS.room.params }) { room }: ParamsOf<'room'>,
    @Query({ schema: OPERATIONS.room.query }) { nsp, ...page }: QueryOf<'room'>,
  ): Promise<AnswerOf<'room'>> {
    return { room, ...(await this.presence.inRoom(nsp, room, page)) };
  }
}
