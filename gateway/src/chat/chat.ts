import { toGatewayError } from '@streamgate/protocol/errors';
import type { Backplane } from '../backplane/backplane.js';
import type { EventsOut } from '../backplane/events-out.js';
import type { Session, SessionWatcher } from '../backplane/session.js';
import type { Config } from '../config.js';
import { log } from '../ops/log.js';
import type { Presence } from '../presence/presence.js';
import { Typing } from '../presence/typing.js';
import { ConversationRooms } from './conversation-rooms.js';
import { CHAT, Delivery } from './delivery.js';
import { ChatJoinsGateway, userTyping } from './joins.js';
import { ChatMessagesGateway } from './messages.js';
import { Push } from './push.js';
import { Rate } from './rates.js';
import { ChatReceiptsGateway } from './receipts.js';
import { ChatStatusGateway, type StatusParts } from './status.js';
import type { ChatStore } from './store/chat-store.js';
import { Turns } from './turns.js';
import { Untold } from './untold.js';

/** What of the database's connections may be taken by those who connect and join. */
const SHARE_OF_READS = 0.5;
const TYPING_BURST = 10;

export interface ChatParts {
  readonly config: Config;
  readonly backplane: Backplane;
  readonly presence: Presence;
  readonly eventsOut: EventsOut;
  readonly store: ChatStore;
  readonly contacts: StatusParts['contacts'];
}

/** The namespace `/chat`. */
export class Chat implements SessionWatcher {
  readonly rooms: ConversationRooms;
  /** What clients may say, for the edge to find. */
  readonly gateways: readonly object[];
  private readonly turns: Turns;
  private readonly delivery: Delivery;
  private readonly untold: Untold;
  private readonly typing: Typing;
  private readonly receipts: ChatReceiptsGateway;
  private readonly status: ChatStatusGateway;

  constructor(parts: ChatParts) {
    const { config, backplane, presence, eventsOut, store } = parts;
    const rate = new Rate(config.chatMessagesPerSecond, config.chatMessagesBurst);
    const typingRate = new Rate(config.chatTypingPerSecond, TYPING_BURST);
    const turns = new Turns(Math.ceil(config.databasePool * SHARE_OF_READS));
    const untold = new Untold(CHAT, backplane);
    const delivery = new Delivery(config, backplane, store, turns, untold);
    this.turns = turns;
    this.untold = untold;
    this.delivery = delivery;
    this.typing = new Typing(backplane, userTyping);
    this.rooms = new ConversationRooms({ ...parts, delivery, turns, untold });
    this.receipts = new ChatReceiptsGateway({ ...parts, delivery });
    this.status = new ChatStatusGateway({ ...parts, rate });
    this.gateways = [
      new ChatMessagesGateway({
        ...parts,
        delivery,
        rate,
        push: new Push(store, presence, eventsOut),
      }),
      new ChatJoinsGateway(this.rooms, this.typing, typingRate),
      this.receipts,
      this.status,
    ];
  }

  opened(session: Session): void {
    this.turns
      .take(() => this.greet(session))
      .catch((error: unknown) => {
        const failure = toGatewayError(error);
        if (failure.code === 'internal') log.error({ err: failure.cause }, 'a session not greeted');
        // It may ask for them by REST.
        session.sendError(failure, 'unread-counts');
      });
  }

  ended(session: Session): void {
    this.typing.ended(session);
    this.rooms.ended(session);
  }

  close(): void {
    this.typing.close();
    this.rooms.close();
    this.delivery.close();
    this.untold.close();
  }

  private async greet(session: Session): Promise<void> {
    if (!session.connected) return;
    session.send('unread-counts', await this.receipts.unread(session));
    await this.status.opened(session);
  }
}
