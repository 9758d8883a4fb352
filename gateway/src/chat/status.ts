import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { type UserStatus, wireId } from '@streamgate/protocol/chat';
import type { ChatClientPayload } from '@streamgate/protocol/chat-client-events';
import type { ChatServerPayload } from '@streamgate/protocol/chat-server-events';
import { userRoom } from '@streamgate/protocol/rooms';
import type { Backplane } from '../backplane/backplane.js';
import { announce } from '../backplane/forward.js';
import type { Session } from '../backplane/session.js';
import type { Config } from '../config.js';
import type { Presence } from '../presence/presence.js';
import { CHAT } from './delivery.js';
import type { Rate } from './rates.js';
import type { ChatStore } from './store/chat-store.js';

export interface StatusParts {
  readonly config: Pick<Config, 'announceMaxUsers'>;
  readonly backplane: Backplane;
  readonly presence: Pick<Presence, 'areOnlineIfKnown'>;
  readonly store: Pick<ChatStore, 'contactsOf' | 'setStatus' | 'statusesOf'>;
  /** Tells those who share a conversation with the user. */
  readonly contacts: {
    tell(userId: string, event: 'user:status', payload: ChatServerPayload<'user:status'>): void;
  };
  readonly rate: Rate;
}

/** How a user is: online, away, busy; it stays so until it says something else. */
@WebSocketGateway({ namespace: '/chat' })
export class ChatStatusGateway {
  constructor(private readonly parts: StatusParts) {}

  @SubscribeMessage('set-status')
  async set(
    session: Session,
    { status }: ChatClientPayload<'set-status'>,
  ): Promise<ChatServerPayload<'user:status'>> {
    const { backplane, contacts, rate, store } = this.parts;
    const { userId } = session.principal;
    rate.take(userId);
    await store.setStatus(userId, status);
    const payload = payloadOf(userId, status);
    contacts.tell(userId, 'user:status', payload);
    announce(backplane, {
      namespace: CHAT,
      to: [userRoom(userId)],
      exceptSessions: [session.id],
      event: 'user:status',
      args: [payload],
    });
    return payload;
  }

  /**
   * Tells a new session which of those it shares a conversation with are online, and how they and its
   * own user are, as far as they are not simply online; and them of the user.
   * @throws GatewayError `database_unavailable`
   */
  async opened(session: Session): Promise<void> {
    const { config, contacts, presence, store } = this.parts;
    const { userId } = session.principal;
    const known = await store.contactsOf(userId, config.announceMaxUsers);
    const statuses = await store.statusesOf([userId, ...known]);
    const online = await presence.areOnlineIfKnown(CHAT, known);
    for (const [index, each] of known.entries())
      if (online?.[index]) session.send('user:online', { userId: wireId(each) });
    for (const [each, status] of statuses)
      if (status !== 'online') session.send('user:status', payloadOf(each, status));
    const own = statuses.get(userId) ?? 'online';
    if (own !== 'online') contacts.tell(userId, 'user:status', payloadOf(userId, own));
  }
}

function payloadOf(userId: string, status: UserStatus): ChatServerPayload<'user:status'> {
  return { userId: wireId(userId), status };
}
