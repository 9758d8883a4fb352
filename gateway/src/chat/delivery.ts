import { CATCH_UP_MAX } from '@streamgate/protocol/chat';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { conversationRoom } from '@streamgate/protocol/rooms';
import type { Delivered } from '@streamgate/protocol/server-events';
import type { Backplane } from '../backplane/backplane.js';
import type { ChatNotice } from '../backplane/notices.js';
import { fromClient } from '../backplane/origin.js';
import type { Config } from '../config.js';
import type { Attendee } from '../inbox/attendee.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { Served, type Telling } from './served.js';
import type { ChatStore } from './store/chat-store.js';
import type { Turns } from './turns.js';
import type { Untold } from './untold.js';
import { messageOnWire } from './wire.js';

export const CHAT = '/chat';

/** Messages that one question to the store brings. */
const READ_LIMIT = 200;
/** How often conversations that nobody here has joined are forgotten. */
const SWEEP_MS = 30_000;

/**
 * What is said in conversations, on its way to the sessions that have joined them. Nodes tell each
 * other by notices, and each hands on in the order of the messages' numbers (see `Served`).
 */
export class Delivery {
  private readonly served = new Map<number, Served>();
  private readonly sweeper: NodeJS.Timeout;
  private readonly chunkChars: number;

  constructor(
    config: Pick<Config, 'maxBufferedBytes'>,
    private readonly backplane: Backplane,
    private readonly store: Pick<ChatStore, 'messages'>,
    private readonly turns: Turns,
    private readonly untold: Untold,
  ) {
    // Who is sent what it missed must not look like one that does not read.
    this.chunkChars = config.maxBufferedBytes / 16;
    backplane.onNotice((_namespace, _to, body) => {
      if (body.kind === 'chat' && body.heardBy !== backplane.nodeId) this.hear(body);
      else if (body.kind === 'chat-missed') this.suspect(body.conversationIds);
    });
    backplane.onHealthChange(({ up }) => {
      if (up) this.suspect();
    });
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  /** To all who have joined; while the backplane is away to those of this node, and later to the others. */
  async tell(conversationId: number, telling: Telling): Promise<Delivered> {
    const body: ChatNotice = { kind: 'chat', conversationId, origin: fromClient(), ...telling };
    try {
      await this.backplane.notify({
        namespace: CHAT,
        to: [conversationRoom(conversationId)],
        body,
      });
      return { scope: 'cluster' };
    } catch (error) {
      if (!(error instanceof GatewayError && error.code === 'backplane_unavailable')) throw error;
      this.hear(body);
      const isKept = telling.event === 'receive-message';
      this.untold.add(
        conversationId,
        isKept ? undefined : { ...body, heardBy: this.backplane.nodeId },
      );
      metrics.notForwarded.add();
      return { scope: 'local' };
    }
  }

  /** As `tell` for what nobody waits for, so that no reply waits for Redis. */
  announce(conversationId: number, telling: Telling): void {
    this.tell(conversationId, telling).catch((error: unknown) => {
      log.error({ err: toGatewayError(error), event: telling.event }, 'announcement failed');
    });
  }

  /**
   * Brings a session into a conversation: see `Served.join`.
   * @throws whatever `enter` throws, and `database_unavailable`
   */
  join(
    session: Attendee,
    conversationId: number,
    since: number | undefined,
    enter: () => Promise<void>,
  ): Promise<number> {
    let served = this.served.get(conversationId);
    // What was said while nobody here listened, it has not heard.
    if (!served || this.isIdle(conversationId, served)) {
      served?.close();
      served = this.serve(conversationId);
      this.served.set(conversationId, served);
    }
    return served.join(session, since, enter);
  }

  close(): void {
    clearInterval(this.sweeper);
    for (const served of this.served.values()) served.close();
    this.served.clear();
  }

  private hear(notice: ChatNotice): void {
    this.served.get(notice.conversationId)?.hear(notice);
  }

  private suspect(conversationIds: Iterable<number> = this.served.keys()): void {
    for (const conversationId of conversationIds) this.served.get(conversationId)?.suspect();
  }

  private serve(conversationId: number): Served {
    const to = [conversationRoom(conversationId)];
    const { store, turns, backplane } = this;
    return new Served(conversationId, {
      catchUpMax: CATCH_UP_MAX,
      chunkChars: this.chunkChars,
      async after(after, urgent) {
        const range = { conversationId, after, limit: READ_LIMIT };
        const { messages, more } = await turns.take(() => store.messages(range), urgent);
        return { messages: messages.map(messageOnWire), more };
      },
      async newest() {
        const range = { conversationId, limit: 1 };
        const { messages } = await turns.take(() => store.messages(range), true);
        return messages[0]?.seq ?? 0;
      },
      deliver({ event, payload, origin }, exceptSessions) {
        const args = [payload];
        backplane.deliverLocally({ namespace: CHAT, to, exceptSessions, event, args, origin });
      },
      failed: logFailure,
      gap: (outcome) => metrics.chatGaps.add(outcome),
    });
  }

  private isIdle(conversationId: number, served: Served): boolean {
    return !served.isJoining && !this.backplane.hasLocal(CHAT, conversationRoom(conversationId));
  }

  private sweep(): void {
    for (const [conversationId, served] of this.served) {
      if (!this.isIdle(conversationId, served)) continue;
      served.close();
      this.served.delete(conversationId);
    }
  }
}

function logFailure(error: unknown): void {
  log.debug({ code: toGatewayError(error).code }, 'messages cannot be read from the store');
}
