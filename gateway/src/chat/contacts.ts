import { wireId } from '@streamgate/protocol/chat';
import type {
  ChatServerEventName,
  ChatServerPayload,
} from '@streamgate/protocol/chat-server-events';
import { toGatewayError } from '@streamgate/protocol/errors';
import { userRoom } from '@streamgate/protocol/rooms';
import type { Backplane } from '../backplane/backplane.js';
import { forward } from '../backplane/forward.js';
import type { Config } from '../config.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import type { Presence } from '../presence/presence.js';
import type { ChatStore } from './store/chat-store.js';

export interface ContactsParts {
  readonly config: Pick<Config, 'announceMaxUsers'>;
  readonly store: Pick<ChatStore, 'contactsOf'>;
  readonly backplane: Backplane;
  readonly presence: Presence;
}

/** Tells those who share a conversation with a user that it comes, goes, or is busy. */
export class Contacts {
  /** What is being told of a user: one after the other, so that the last is also heard last. */
  private readonly telling = new Map<string, Promise<void>>();

  constructor(private readonly parts: ContactsParts) {
    parts.presence.announceBy('/chat', (status, { id }) => {
      const event = status === 'online' ? 'user:online' : 'user:offline';
      this.tell(id, event, { userId: wireId(id) });
    });
  }

  /**
   * Nobody waits for it: while the database is away nobody is told, and a metric says so. More than
   * `STREAMGATE_ANNOUNCE_MAX_USERS` are not told.
   */
  tell<E extends ChatServerEventName>(
    userId: string,
    event: E,
    payload: ChatServerPayload<E>,
  ): void {
    const told = (this.telling.get(userId) ?? Promise.resolve())
      .then(() => this.tellNow(userId, event, payload))
      .catch((thrown: unknown) => {
        const { code, cause } = toGatewayError(thrown);
        metrics.contactsUntold.add();
        if (code === 'internal') log.error({ err: cause, event }, 'contacts not told');
      })
      .finally(() => {
        if (this.telling.get(userId) === told) this.telling.delete(userId);
      });
    this.telling.set(userId, told);
  }

  private async tellNow(userId: string, event: string, payload: unknown): Promise<void> {
    const { config, store, backplane } = this.parts;
    const most = config.announceMaxUsers;
    if (most === 0) return;
    const contacts = await store.contactsOf(userId, most + 1);
    if (contacts.length > most) metrics.contactsUntold.add();
    if (contacts.length === 0) return;
    await forward(backplane, {
      namespace: '/chat',
      to: contacts.slice(0, most).map(userRoom),
      event,
      args: [payload],
    });
  }
}
