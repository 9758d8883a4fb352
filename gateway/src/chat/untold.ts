import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { conversationRoom } from '@streamgate/protocol/rooms';
import type { Backplane } from '../backplane/backplane.js';
import type { ChatMissedNotice, ChatNotice } from '../backplane/notices.js';
import { log } from '../ops/log.js';

/** How often it is tried again. */
const RETRY_MS = 500;
/** Conversations that are named; of more, all nodes look after all of theirs. */
const NAMED_MAX = 10_000;
/** Conversations in one notice. */
const NAMED_AT_ONCE = 100;
/** What became of messages, to be told again: no more than this many. */
const HELD_MAX = 1000;

/**
 * What other nodes could not be told, while the backplane was away from this one: perhaps from this one
 * only, so they do not know that they have missed something. When it can be said, they are told in which
 * conversations to ask the store: for messages, and for who is a member.
 */
export class Untold {
  private conversations = new Set<number>();
  private all = false;
  private held: ChatNotice[] = [];
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly namespace: string,
    private readonly backplane: Backplane,
  ) {}

  /** @param notice what the store cannot be asked for: said again as it was */
  add(conversationId: number, notice?: ChatNotice): void {
    if (this.conversations.size < NAMED_MAX) this.conversations.add(conversationId);
    else this.all = true;
    if (notice && this.held.length < HELD_MAX) this.held.push(notice);
    this.tellSoon();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private tellSoon(): void {
    if (!this.closed) this.timer ??= setTimeout(() => void this.tell(), RETRY_MS).unref();
  }

  private async tell(): Promise<void> {
    try {
      if (this.backplane.health().up) await this.tellNow();
    } catch (error) {
      if (!(error instanceof GatewayError && error.code === 'backplane_unavailable'))
        log.error({ err: toGatewayError(error) }, 'other nodes not told to ask the store');
    }
    this.timer = undefined;
    if (this.all || this.conversations.size > 0 || this.held.length > 0) this.tellSoon();
  }

  /** What comes meanwhile stays for the next time. */
  private async tellNow(): Promise<void> {
    while (this.all || this.conversations.size > 0) {
      const ids = this.all ? undefined : [...this.conversations].slice(0, NAMED_AT_ONCE);
      const body: ChatMissedNotice = { kind: 'chat-missed', conversationIds: ids };
      const { namespace, all, conversations } = this;
      this.all = false;
      if (ids) for (const id of ids) conversations.delete(id);
      else conversations.clear();
      try {
        await this.backplane.notify({ namespace, to: ids?.map(conversationRoom) ?? 'nodes', body });
      } catch (error) {
        this.all ||= all;
        for (const id of ids ?? []) this.conversations.add(id);
        throw error;
      }
    }
    for (let body = this.held[0]; body; body = this.held[0]) {
      const to = [conversationRoom(body.conversationId)];
      await this.backplane.notify({ namespace: this.namespace, to, body });
      this.held.shift();
    }
  }
}
