import { Attendance } from './attendance.js';

/** Events that a client may leave without an ack, roughly, before it is sent no more. */
const WINDOW = 200;

/**
 * A session whose client takes events out of the inbox by acknowledging them. They are never sent
 * live: a notice rings, and they are fetched.
 */
export class ClientAttendance extends Attendance {
  private unacked = 0;
  /** Nothing is sent until acks come; what comes live behind something that waits for that waits too. */
  private full = false;

  opened(): void {
    this.drain();
  }

  resume(): void {
    this.drain();
  }

  rung(): void {
    // At once, so that what comes live behind the notice is sent behind the event.
    this.session.hold(wantsAll);
    this.drain();
  }

  heard(): void {}

  closed(): void {}

  protected override async drainOnce(): Promise<void> {
    const { session, desk } = this;
    session.hold(wantsAll);
    while (!this.full) {
      const page = await desk.look(session, this.after);
      if (!session.connected) return;
      if (page) {
        const { events } = page;
        this.after = page.reached;
        this.unacked += events.length;
        this.full = this.unacked >= WINDOW;
        const acked = (index: number) => this.acked(events[index]!.tag);
        if (!(await this.send(page, undefined, acked))) return;
      }
      if (page?.more) continue;
      // What came behind a notice meanwhile goes behind the event.
      if (!this.again) session.release();
      return;
    }
  }

  protected override pass(): void {
    this.session.release();
  }

  private acked(tag: string): void {
    this.desk.take(this.session, { tags: [tag] });
    this.unacked -= 1;
    if (!this.full || this.unacked >= WINDOW) return;
    this.full = false;
    this.drain();
  }
}

function wantsAll(): boolean {
  return true;
}
