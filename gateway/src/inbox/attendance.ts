import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import type { Attendee } from './attendee.js';
import { BEGINNING, type Page, type StoredEvent, type Taken } from './store.js';

/** What an attendance asks of the node's inbox. */
export interface Desk {
  /** @throws GatewayError `backplane_unavailable` */
  look(session: Attendee, after: string): Promise<Page | undefined>;
  /** What was received need not be kept. */
  take(session: Attendee, what: Taken['what']): void;
  caughtUp(): Promise<void>;
  /** Events that an inbox holds at most. */
  readonly mostEvents: number;
  /** For an event that ends in a text: where the client is then. */
  offset(session: Attendee): string | undefined;
  /** The store cannot be asked: `attendance.resume` is called when it may be there again. */
  owe(attendance: Attendance): void;
}

/** One session at its user's inbox. */
export abstract class Attendance {
  /** Up to here its events were sent to the session. */
  protected after = BEGINNING;
  private busy = false;
  /** Asked to drain again since it was last begun. */
  protected again = false;
  /** The log says once why. */
  private complained = false;

  constructor(
    readonly session: Attendee,
    protected readonly desk: Desk,
  ) {}

  /** The session is open: nothing that comes live has been sent to it yet. */
  abstract opened(): void;
  /** The session was handed a tagged event, or would have been. */
  abstract heard(tag: string): void;
  /** Something was put into the inbox that is not sent otherwise. */
  abstract rung(): void;
  /** The store may be there again. */
  abstract resume(): void;
  /** The session has ended. */
  abstract closed(): void;

  /** Sends what lies behind `after`; once at a time, and again when asked meanwhile. */
  protected drain(): void {
    this.again = true;
    if (!this.busy) void this.drainAll();
  }

  private async drainAll(): Promise<void> {
    this.busy = true;
    try {
      while (this.again && this.session.connected) {
        this.again = false;
        await this.drainOnce();
      }
    } catch (thrown) {
      this.failed(thrown);
    } finally {
      this.busy = false;
    }
  }

  /** Holds what comes live until all is sent. @throws GatewayError `backplane_unavailable` */
  protected abstract drainOnce(): Promise<void>;

  /** The store could not be asked: live goes on without it. */
  protected abstract pass(): void;

  protected failed(thrown: unknown): void {
    const isAway = thrown instanceof GatewayError && thrown.code === 'backplane_unavailable';
    if (!isAway && !this.complained) {
      this.complained = true;
      log.error({ err: toGatewayError(thrown).cause, session: this.session.id }, 'the inbox');
    }
    if (!this.session.connected) return;
    this.pass();
    this.desk.owe(this);
  }

  /** Sends a page. @returns whether the session still lives when it has left this process */
  protected async send(
    { events }: Page,
    offset: string | undefined,
    acked?: (index: number) => void,
  ): Promise<boolean> {
    if (events.length === 0) return this.session.connected;
    metrics.inboxSent.add('', events.length);
    return this.session.deliver(
      events.map((event) => dataOf(event, offset)),
      acked,
    );
  }
}

/** Name and arguments. */
function dataOf({ payload }: StoredEvent, offset: string | undefined): unknown[] {
  const data = JSON.parse(payload) as unknown[];
  // A client takes a last argument that is a string for its offset.
  if (offset !== undefined && typeof data.at(-1) === 'string') data.push(offset);
  return data;
}
