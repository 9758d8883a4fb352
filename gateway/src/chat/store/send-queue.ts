import { GatewayError } from '@streamgate/protocol/errors';
import type { NewMessage, Sent } from './chat-store.js';

/** Messages in one statement at most. */
const BATCH_MAX = 100;
/** Characters of content in one statement, about: whoever waits behind it waits for all of it. */
const BATCH_CHARACTERS = 256 * 1024;
/** Messages that wait for their turn; more than that a database will not do in time. */
const WAITING_MAX = 10_000;
/** Somebody else was as fast with the same client id, or with locks: again, with fresh eyes. */
const TRIES = 3;
const UNIQUE_VIOLATION = '23505';
const DEADLOCK = '40P01';

interface Waiting {
  readonly message: NewMessage;
  readonly resolve: (sent: Sent | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sends one batch at a time and gathers the next meanwhile: alone, a message goes at once; under
 * load many share a round trip, the locks and the commit. Messages keep their order.
 */
export class SendQueue {
  private waiting: Waiting[] = [];
  private busy = false;

  /** @param write all or none of the messages; see `writeMessages` */
  constructor(
    private readonly write: (messages: readonly NewMessage[]) => Promise<(Sent | undefined)[]>,
  ) {}

  /** @throws GatewayError `database_unavailable` when too many wait, and what `write` throws */
  send(message: NewMessage): Promise<Sent | undefined> {
    if (this.waiting.length >= WAITING_MAX)
      return Promise.reject(new GatewayError('database_unavailable'));
    return new Promise((resolve, reject) => {
      this.waiting.push({ message, resolve, reject });
      if (!this.busy) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) await this.deliver(this.take());
    this.busy = false;
  }

  /** What comes first, up to the second of two that are the same message. */
  private take(): Waiting[] {
    const ids = new Set<string>();
    let characters = 0;
    let end = 0;
    for (const { message } of this.waiting) {
      const { conversationId, senderId, clientMessageId, content } = message;
      const id = JSON.stringify([conversationId, senderId, clientMessageId]);
      characters += content.length;
      const isFull = end >= BATCH_MAX || characters > BATCH_CHARACTERS;
      if (end > 0 && (isFull || ids.has(id))) break;
      if (clientMessageId !== undefined) ids.add(id);
      end += 1;
    }
    return this.waiting.splice(0, end);
  }

  private async deliver(batch: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await this.insist(batch.map(({ message }) => message));
      batch.forEach(({ resolve }, index) => resolve(outcomes[index]));
    } catch (error) {
      // One that the database does not take must not take the others with it.
      const isAlone = batch.length === 1;
      const isAway = error instanceof GatewayError && error.code === 'database_unavailable';
      if (isAlone || isAway) for (const { reject } of batch) reject(error);
      else for (const one of batch) await this.deliver([one]);
    }
  }

  private async insist(messages: readonly NewMessage[]): Promise<(Sent | undefined)[]> {
    for (let attempt = 1; ; attempt++)
      try {
        return await this.write(messages);
      } catch (error) {
        const cause = (error as Error).cause as { code?: string } | undefined;
        const mayPass = cause?.code === UNIQUE_VIOLATION || cause?.code === DEADLOCK;
        if (!mayPass || attempt === TRIES) throw error;
      }
  }
}
