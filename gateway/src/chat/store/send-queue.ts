import { GatewayError } from '@streamgate/protocol/errors';
import type { NewMessage, Sent } from './chat-store.js';

/** Messages in one statement at most. */
const BATCH_MAX = 100;
/** Characters of content in one statement, about: whoever waits behind it waits for all of it. */
const BATCH_CHARACTERS = 256 * 1024;
/** Batches on their way at most, and how long one is waited for before the next leaves. */
const FLIGHTS_MAX = 4;
const PATIENCE_MS = 25;
/** Messages that wait for their turn; more than that a database will not do in time. */
const WAITING_MAX = 10_000;
/** Somebody else was as fast with the same client id (unique_violation), or with locks: again. */
const OVERTAKEN = new Set(['23505', '40P01']);
const TRIES = 3;
/** lock_not_available, query_canceled */
const STUCK = new Set(['55P03', '57014']);

interface Waiting {
  readonly message: NewMessage;
  readonly resolve: (sent: Sent | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sends one batch at a time and gathers the next meanwhile: alone, a message goes at once; under
 * load many share a round trip, the locks and the commit. Behind a batch that takes long, because
 * of one conversation that somebody holds, others go on. Messages of a conversation keep their order.
 */
export class SendQueue {
  private waiting: Waiting[] = [];
  /** The conversations of each batch that is on its way. */
  private readonly flights = new Set<ReadonlySet<number>>();
  private isGathering = false;
  /** The last batch left a moment ago. */
  private isPatient = false;
  private timer: NodeJS.Timeout | undefined;

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
      this.gather();
    });
  }

  /** What else arrives in this turn of the event loop goes with it. */
  private gather(): void {
    if (this.isGathering) return;
    this.isGathering = true;
    setImmediate(() => {
      this.isGathering = false;
      this.depart();
    });
  }

  private depart(): void {
    const mayLeave = !this.isPatient && this.flights.size < FLIGHTS_MAX;
    if (this.waiting.length === 0 || (this.flights.size > 0 && !mayLeave)) return;
    this.bePatient();
    const batch = this.take();
    if (batch.length === 0) return;
    const flight = new Set(batch.map(({ message }) => message.conversationId));
    this.flights.add(flight);
    void this.deliver(batch).then(() => {
      this.flights.delete(flight);
      this.gather();
    });
  }

  private bePatient(): void {
    clearTimeout(this.timer);
    this.isPatient = true;
    this.timer = setTimeout(() => {
      this.isPatient = false;
      this.depart();
    }, PATIENCE_MS).unref();
  }

  /** What comes first of conversations that are not on their way, and of a message sent twice once. */
  private take(): Waiting[] {
    const held = new Set([...this.flights].flatMap((flight) => [...flight]));
    const ids = new Set<string>();
    const batch: Waiting[] = [];
    const rest: Waiting[] = [];
    let characters = 0;
    for (const one of this.waiting) {
      const { conversationId, senderId, clientMessageId, content } = one.message;
      const id = clientMessageId && JSON.stringify([conversationId, senderId, clientMessageId]);
      const isFull = batch.length >= BATCH_MAX || characters + content.length > BATCH_CHARACTERS;
      if (held.has(conversationId) || (batch.length > 0 && isFull) || (id && ids.has(id))) {
        // What comes behind it stays behind it.
        held.add(conversationId);
        rest.push(one);
        continue;
      }
      characters += content.length;
      if (id) ids.add(id);
      batch.push(one);
    }
    this.waiting = rest;
    return batch;
  }

  private async deliver(batch: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await this.insist(batch.map(({ message }) => message));
      batch.forEach(({ resolve }, index) => resolve(outcomes[index]));
    } catch (error) {
      const conversations = [
        ...Map.groupBy(batch, ({ message }) => message.conversationId).values(),
      ];
      const isStuck = STUCK.has(stateOf(error));
      const isAway =
        !isStuck && error instanceof GatewayError && error.code === 'database_unavailable';
      // A conversation that somebody holds must not take others with it,
      if (conversations.length > 1 && !isAway)
        await Promise.all(conversations.map((part) => this.deliver(part)));
      // nor a message that the database does not take; in their order.
      else if (batch.length > 1 && !isAway && !isStuck)
        for (const one of batch) await this.deliver([one]);
      else for (const { reject } of batch) reject(error);
    }
  }

  private async insist(messages: readonly NewMessage[]): Promise<(Sent | undefined)[]> {
    for (let attempt = 1; ; attempt++)
      try {
        return await this.write(messages);
      } catch (error) {
        if (!OVERTAKEN.has(stateOf(error)) || attempt === TRIES) throw error;
      }
  }
}

function stateOf(error: unknown): string {
  return ((error as Error).cause as { code?: string } | undefined)?.code ?? '';
}
