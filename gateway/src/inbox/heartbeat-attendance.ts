import { Attendance } from './attendance.js';
import { Proof } from './proof.js';
import { NEWEST } from './store.js';

/** All that was sent out of the inbox stands before it. */
const DRAINED = Symbol('drained');

type Sent = string | { readonly upTo: string } | typeof DRAINED;

/**
 * A session whose events are taken out of the inbox once the connection that carried them has proven
 * itself by heartbeats. What comes live is sent live, and noted.
 */
export class HeartbeatAttendance extends Attendance {
  private proof: Proof<Sent> | undefined;
  private stop: (() => void) | undefined;
  /** Tags of what was sent out of the inbox: when the same comes live it is not sent again. */
  private given: Set<string> | undefined;
  /** Something of it came live since the client was told where it stands. */
  private repeated = false;
  /** What comes live is sent at once. */
  private live = false;

  opened(): void {
    if (this.session.recovered) void this.carryOn();
    else this.drain();
  }

  resume(): void {
    this.opened();
  }

  heard(tag: string): void {
    if (this.live && !this.given?.has(tag)) this.note(tag);
  }

  rung(): void {}

  closed(): void {
    this.stop?.();
  }

  /**
   * What lies in the inbox of a continued session was sent to it before, or given back to it as
   * missed, or comes live.
   */
  private async carryOn(): Promise<void> {
    this.live = true;
    try {
      const page = await this.desk.look(this.session, NEWEST);
      if (!page) return;
      await this.desk.caughtUp();
      this.note({ upTo: page.reached });
    } catch (thrown) {
      this.failed(thrown);
    }
  }

  protected override async drainOnce(): Promise<void> {
    const { session, desk } = this;
    const given = (this.given ??= new Set());
    const offset = desk.offset(session);
    this.live = false;
    session.hold((tag) => this.isNew(tag));
    for (;;) {
      const page = await desk.look(session, this.after);
      // Known before it is sent: from here on it cannot be continued as if there had been nothing.
      if (page?.events.length) await session.setInbox('unproven');
      if (!session.connected) return;
      if (!page) break;
      for (const { tag } of page.events) given.add(tag);
      const sent = this.send(page, offset);
      for (const { tag } of page.events) this.note(tag);
      this.after = page.reached;
      if (!(await sent)) return;
      if (!page.more) break;
    }
    if (given.size === 0) return this.goLive();
    // What was sent live as well must have come, to be recognised.
    await desk.caughtUp();
    if (!session.connected) return;
    this.live = true;
    for (const tag of session.sift((each) => this.isNew(each))) this.note(tag);
    this.tellDelivered(given.size);
  }

  private isNew(tag: string): boolean {
    const known = this.given?.has(tag) ?? false;
    this.repeated ||= known;
    return !known;
  }

  /**
   * What came live and was not sent again is behind it: the client's offset must be too, or it would
   * be given back as missed.
   */
  private tellDelivered(events: number): void {
    const offset = this.desk.offset(this.session);
    const data = ['inbox-delivered', { events }];
    void this.session.deliver([offset === undefined ? data : [...data, offset]]);
    this.repeated = false;
    this.note(DRAINED);
  }

  /** All that was sent out of the inbox has arrived. */
  private drained(): void {
    // Where sending follows keeping, an event may come live long after it was found in the inbox.
    if (this.repeated) this.tellDelivered(0);
    else this.goLive();
  }

  /** Tagged events are in the inbox, and sent from there in their order when it can be asked. */
  protected override pass(): void {
    if (this.session.recovered) return;
    void this.session.setInbox('unproven');
    this.session.sift(() => false);
  }

  private goLive(): void {
    this.live = true;
    this.given = undefined;
    for (const tag of this.session.release()) this.note(tag);
    void this.session.setInbox(undefined);
  }

  private note(sent: Sent): void {
    // Of more than an inbox holds the oldest are not in it any more.
    this.proof ??= new Proof(this.desk.mostEvents, isTag);
    this.proof.sent(sent);
    this.stop ??= this.session.onHeartbeat(() => this.beat());
  }

  private beat(): void {
    const tags: string[] = [];
    for (const sent of this.proof!.beat()) {
      if (sent === DRAINED) this.drained();
      else if (typeof sent === 'string') tags.push(sent);
      else this.desk.take(this.session, sent);
    }
    if (tags.length > 0) this.desk.take(this.session, { tags });
    if (!this.proof!.isEmpty) return;
    this.stop?.();
    this.stop = undefined;
  }
}

function isTag(sent: Sent): boolean {
  return typeof sent === 'string';
}
