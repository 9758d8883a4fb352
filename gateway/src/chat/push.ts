import type { Message } from '@streamgate/protocol/chat';
import { toGatewayError } from '@streamgate/protocol/errors';
import type { EventsOut } from '../backplane/events-out.js';
import { log } from '../ops/log.js';
import type { Presence } from '../presence/presence.js';
import { CHAT } from './delivery.js';
import type { ChatStore } from './store/chat-store.js';

/** Tells services of messages whose members are not connected, when they asked for `push`. */
export class Push {
  constructor(
    private readonly store: Pick<ChatStore, 'membersOf'>,
    private readonly presence: Presence,
    private readonly eventsOut: EventsOut,
  ) {}

  /** Nobody waits for it; the message is in the history anyway. */
  tell(message: Message): void {
    if (!this.eventsOut.wants('push')) return;
    this.tellNow(message).catch((error: unknown) => {
      const { code, cause } = toGatewayError(error);
      if (code === 'internal') log.error({ err: cause }, 'absent members not told');
      else log.debug({ code }, 'absent members not told');
    });
  }

  private async tellNow(message: Message): Promise<void> {
    const members = await this.store.membersOf(message.conversation_id);
    const others = members.filter((userId) => userId !== String(message.sender_id));
    const online = await this.presence.areOnline(CHAT, others);
    for (const [index, userId] of others.entries())
      if (!online[index])
        this.eventsOut.tell({
          type: 'push',
          nsp: CHAT,
          userId,
          event: 'receive-message',
          data: message,
        });
  }
}
