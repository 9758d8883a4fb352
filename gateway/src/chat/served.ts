import type { Message } from '@streamgate/protocol/chat';
import { GatewayError } from '@streamgate/protocol/errors';
import { conversationRoom } from '@streamgate/protocol/rooms';
import type { ChatNotice } from '../backplane/notices.js';
import type { Attendee } from '../inbox/attendee.js';

/** How long a message waits for those before it, before the store is asked for them. */
const HOLD_MS = 50;
/** How long the store is asked, and how often. */
const GIVE_UP_MS = 5000;
const RETRY_MS = 500;
/** Messages that are held; of more the store is asked anyway. Also what is held for one that joins. */
const HELD_MAX = 1000;
/** Characters of an event beside its content, about. */
const ENVELOPE_CHARS = 250;

/** What is told in a conversation: a message, or what became of one. */
export type Telling = Omit<ChatNotice, 'kind' | 'conversationId'>;

/** A session that is sent what it missed, and nothing live meanwhile. */
interface Joining {
  readonly since: number | undefined;
  /** What became of messages meanwhile: what it was sent before does not say so. */
  later: Telling[];
}

/** Where a served conversation reads, and whom it tells. */
export interface Desk {
  /**
   * Messages with greater numbers, in their order.
   * @param urgent all who have joined wait for them
   */
  readonly after: (
    seq: number,
    urgent: boolean,
  ) => Promise<{ messages: readonly Message[]; more: boolean }>;
  /** Number of the newest message, 0 when there is none. */
  readonly newest: () => Promise<number>;
  /** To the sessions of this node that have joined, but for some. */
  readonly deliver: (
    telling: Pick<Telling, 'event' | 'payload' | 'origin'>,
    except: readonly string[],
  ) => void;
  /** The store could not be asked for what is missing; it is tried again. */
  readonly failed: (error: unknown) => void;
  /** The store was asked for what did not come, or it could not be had. */
  readonly gap: (outcome: 'fetched' | 'given_up') => void;
  /** Missed messages that are sent to who joins at most. */
  readonly catchUpMax: number;
  /** Characters of messages that are sent before it is waited until they have left. */
  readonly chunkChars: number;
}

/**
 * A conversation that sessions of this node have joined. Messages come from other nodes in any order,
 * or not at all: they are handed on in the order of their numbers, without gaps. Numbers are given
 * in the transaction that keeps a message, so once one is heard of, the store has all before it.
 */
export class Served {
  /** Number of the last message that was handed on; undefined until the store was asked. */
  private last: number | undefined;
  /** The greatest number heard of. */
  private heardOf = 0;
  private readonly held = new Map<number, Telling>();
  /** What is told of a message waits until that was handed on. */
  private readonly waiting = new Map<number, Telling[]>();
  /** By session id. */
  private readonly joining = new Map<string, Joining>();
  private readonly room: string;
  private reading: Promise<void> = Promise.resolve();
  private nextReading: Promise<void> | undefined;
  private unsure = false;
  private filling = false;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly conversationId: number,
    private readonly desk: Desk,
  ) {
    this.room = conversationRoom(conversationId);
  }

  get isJoining(): boolean {
    return this.joining.size > 0;
  }

  hear(telling: Telling): void {
    const { seq, event } = telling;
    const isMessage = event === 'receive-message';
    if (this.last !== undefined && seq <= this.last) {
      if (!isMessage) this.tell(telling);
      return;
    }
    if (!isMessage) this.waiting.set(seq, [...(this.waiting.get(seq) ?? []), telling]);
    else if (this.held.size < HELD_MAX) this.held.set(seq, telling);
    this.heardOf = Math.max(this.heardOf, seq);
    this.release();
    this.waitForGap();
  }

  /**
   * Brings a session in: what it missed, then what comes, nothing twice and nothing left out. One at
   * a time for each session.
   * @param enter puts it into the room; after it this node hears what is said
   * @param since number of the last message that it has; undefined: it wants none of before
   * @returns number of the last message before what comes live
   * @throws GatewayError `conversation_not_found` when it is taken out of the room meanwhile
   */
  async join(
    session: Attendee,
    since: number | undefined,
    enter: () => Promise<void>,
  ): Promise<number> {
    const joining: Joining = { since, later: [] };
    const [wasIn, before] = [session.isIn(this.room), this.last];
    this.joining.set(session.id, joining);
    try {
      await enter();
      await this.catchUp();
      return await this.bringIn(session, joining);
    } catch (error) {
      // It stays, and was told nothing live meanwhile.
      const hasMissed = this.last !== before || joining.later.length > 0;
      if (wasIn && hasMissed && session.isIn(this.room)) this.reload(session, since ?? before);
      throw error;
    } finally {
      this.joining.delete(session.id);
    }
  }

  /** Resolves when what the store had before the call has been handed on. */
  catchUp(): Promise<void> {
    this.nextReading ??= this.reading
      .catch(() => undefined)
      .then(() => {
        this.nextReading = undefined;
        return (this.reading = this.read());
      });
    return this.nextReading;
  }

  /** Something may have been said that was not heard here. */
  suspect(): void {
    this.unsure = true;
    this.waitForGap();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private get isBehind(): boolean {
    return this.last !== undefined && this.heardOf > this.last;
  }

  private async bringIn(session: Attendee, joining: Joining): Promise<number> {
    const { since } = joining;
    let at = since === undefined ? this.last! : Math.min(since, this.last!);
    if (this.last! - at > this.desk.catchUpMax) {
      this.reload(session, at);
      at = this.last!;
    }
    while ((at < this.last! || joining.later.length > 0) && session.connected) {
      if (at < this.last!) at = await this.sendPage(session, at);
      const due = joining.later.filter(({ seq }) => seq <= at);
      joining.later = joining.later.filter(({ seq }) => seq > at);
      await this.sendAll(session, due);
    }
    checkInside(session, this.room);
    // From here on it is told what the others are told: in the same turn as the last look.
    this.joining.delete(session.id);
    return at;
  }

  /** @returns number of the last message that it has now */
  private async sendPage(session: Attendee, at: number): Promise<number> {
    const { messages } = await this.desk.after(at, false);
    // What this node has not handed on comes live.
    const missed = messages.filter(({ seq }) => seq <= this.last!);
    const events = missed.map((message) => told(message));
    await this.sendAll(session, events);
    if (missed.length > 0) return missed.at(-1)!.seq;
    this.reload(session, at);
    return this.last!;
  }

  private reload(session: Attendee, since = 0): void {
    session.send('reload-since', { conversationId: this.conversationId, since });
  }

  private async read(): Promise<void> {
    if (this.last === undefined) {
      this.begin(await this.desk.newest());
      return;
    }
    for (let before = -1; before < this.last;) {
      before = this.last;
      const { messages, more } = await this.desk.after(this.last, true);
      for (const message of messages)
        // As the store has it now: what was said of it meanwhile may be what is missing.
        if (message.seq === this.last + 1)
          this.handOn(told(message, this.held.get(message.seq)?.origin));
      this.release();
      if (!more) return;
    }
  }

  private begin(seq: number): void {
    this.last ??= seq;
    for (const each of this.held.keys()) if (each <= seq) this.held.delete(each);
    for (const each of this.waiting.keys()) if (each <= seq) this.tellWaiting(each);
    this.release();
    this.waitForGap();
  }

  /** What is missing may be on its way: it is given a moment. */
  private waitForGap(): void {
    if ((!this.isBehind && !this.unsure) || this.filling) return;
    this.timer ??= setTimeout(() => void this.fill(), HOLD_MS).unref();
  }

  private release(): void {
    if (this.last === undefined) return;
    for (;;) {
      const next = this.held.get(this.last + 1);
      if (!next) return;
      this.handOn(next);
    }
  }

  private handOn(telling: Telling): void {
    const { seq } = telling;
    this.last = seq;
    this.held.delete(seq);
    this.tell(telling);
    this.tellWaiting(seq);
  }

  private tellWaiting(seq: number): void {
    for (const telling of this.waiting.get(seq) ?? []) this.tell(telling);
    this.waiting.delete(seq);
  }

  private tell(telling: Telling): void {
    const { event, exceptSession } = telling;
    const except = [...this.joining.keys()];
    if (event !== 'receive-message')
      for (const [id, joining] of this.joining)
        if (id !== exceptSession) this.keepFor(joining, telling);
    if (exceptSession !== undefined) except.push(exceptSession);
    this.desk.deliver(telling, except);
  }

  private keepFor(joining: Joining, telling: Telling): void {
    if (joining.later.length < HELD_MAX) joining.later.push(telling);
    else {
      const since = joining.since ?? this.last!;
      const payload = { conversationId: this.conversationId, since };
      joining.later = [{ seq: 0, event: 'reload-since', payload }];
    }
  }

  /** Asks the store for what is missing; tells sessions to reload when it cannot be had. */
  private async fill(): Promise<void> {
    this.timer = undefined;
    if (this.filling) return;
    this.filling = true;
    let until = performance.now() + GIVE_UP_MS;
    while ((this.isBehind || this.unsure) && !this.closed) {
      const before = this.last;
      this.unsure = false;
      try {
        await this.catchUp();
        this.desk.gap('fetched');
        // Heard of, and not kept: nothing to wait for.
        if (this.isBehind && this.last === before) this.giveUp();
      } catch (error) {
        this.unsure = true;
        this.desk.failed(error);
        if (this.isBehind && performance.now() > until) {
          this.giveUp();
          until = performance.now() + GIVE_UP_MS;
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      }
    }
    this.filling = false;
  }

  private giveUp(): void {
    this.desk.gap('given_up');
    const payload = { conversationId: this.conversationId, since: this.last! };
    this.desk.deliver({ event: 'reload-since', payload }, [...this.joining.keys()]);
    this.last = this.heardOf;
    this.held.clear();
    this.waiting.clear();
  }

  /** In pieces that a client which reads can take. */
  private async sendAll(
    session: Attendee,
    events: readonly Pick<Telling, 'event' | 'payload'>[],
  ): Promise<void> {
    let chunk: [string, unknown][] = [];
    let chars = 0;
    for (const [index, { event, payload }] of events.entries()) {
      chunk.push([event, payload]);
      chars += ENVELOPE_CHARS + contentOf(payload).length;
      if (chars < this.desk.chunkChars && index < events.length - 1) continue;
      checkInside(session, this.room);
      if (!(await session.deliver(chunk))) return;
      chunk = [];
      chars = 0;
    }
  }
}

/** A message that the store has, which does not know where it came from. */
function told(message: Message, origin?: Telling['origin']): Telling {
  return {
    seq: message.seq,
    event: 'receive-message',
    payload: message,
    ...(origin && { origin }),
  };
}

/** It may have been removed while it was sent what it missed: it hears nothing of later. */
function checkInside(session: Attendee, room: string): void {
  if (session.connected && !session.isIn(room)) throw new GatewayError('conversation_not_found');
}

function contentOf(payload: unknown): string {
  return (payload as Partial<Message>).content ?? '';
}
