import { toGatewayError } from '@streamgate/protocol/errors';
import { userRoom } from '@streamgate/protocol/rooms';
import type { Backplane, Notice, Publication } from '../backplane/backplane.js';
import type { Config } from '../config.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { type Attendance, type Desk } from './attendance.js';
import type { Attendee } from './attendee.js';
import { ClientAttendance } from './client-attendance.js';
import { HeartbeatAttendance } from './heartbeat-attendance.js';
import { Looks } from './looks.js';
import { type InboxStore, NEWEST } from './store.js';
import { Takings } from './takings.js';

/** How often a store that failed is asked again. */
const RETRY_MS = 1000;
/**
 * How long an event stays after a client's ack, so that the user's other sessions are sent it too,
 * which are told at the same moment.
 */
const LINGER_MS = 3000;

/** The inboxes of the users who have sessions on this node. */
export class Inbox {
  private readonly byClient: boolean;
  private readonly looks: Looks;
  private readonly takings: Takings;
  /** By namespace and room of the user. */
  private readonly attendances = new Map<string, Attendance[]>();
  private readonly owing = new Set<Attendance>();
  private readonly desk: Desk;
  private retry: NodeJS.Timeout | undefined;
  /** Events in all inboxes, when last asked; empty: not known. */
  private size: [events: number][] = [];

  constructor(
    config: Pick<Config, 'inboxAck' | 'inboxMaxEvents'>,
    private readonly backplane: Backplane,
    store: InboxStore,
  ) {
    this.byClient = config.inboxAck === 'client';
    this.looks = new Looks(store);
    this.takings = new Takings(store, this.byClient ? LINGER_MS : 0);
    this.desk = {
      look: ({ namespace, principal: { userId } }, after) =>
        this.looks.look({ namespace, userId, after }),
      take: ({ namespace, principal: { userId } }, what) =>
        this.takings.add({ namespace, userId, what }),
      mostEvents: config.inboxMaxEvents,
      caughtUp: () => backplane.caughtUp(),
      offset: ({ namespace }) => backplane.offset(namespace),
      owe: (attendance) => this.owe(attendance),
    };
    store.onReturn(() => this.resume());
    metrics.inboxEvents.read(() => {
      void this.measure(store);
      return this.size;
    });
    backplane.onTagged((namespace, to, tag) => {
      if (to === '*') return;
      for (const room of to)
        for (const attendance of this.attendances.get(nameOf(namespace, room)) ?? [])
          attendance.heard(tag);
    });
    backplane.onNotice((namespace, _, body) => {
      if (body.kind !== 'inbox') return;
      for (const user of body.users)
        for (const attendance of this.attendances.get(nameOf(namespace, userRoom(user))) ?? [])
          attendance.rung();
    });
  }

  /** Whether nothing waits for the user; false also when nobody can say. */
  async isEmpty(namespace: string, userId: string): Promise<boolean> {
    try {
      return !(await this.looks.look({ namespace, userId, after: NEWEST }));
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'an inbox cannot be asked for');
      return false;
    }
  }

  /** A session is open and in its rooms, and nothing that comes live has been sent to it yet. */
  opened(session: Attendee): void {
    const attendance = this.byClient
      ? new ClientAttendance(session, this.desk)
      : new HeartbeatAttendance(session, this.desk);
    const name = nameOfSession(session);
    const present = this.attendances.get(name);
    if (present) present.push(attendance);
    else this.attendances.set(name, [attendance]);
    attendance.opened();
  }

  closed(session: Attendee): void {
    const name = nameOfSession(session);
    const present = this.attendances.get(name) ?? [];
    const index = present.findIndex((attendance) => attendance.session === session);
    const [attendance] = index < 0 ? [] : present.splice(index, 1);
    if (!attendance) return;
    if (present.length === 0) this.attendances.delete(name);
    attendance.closed();
    this.owing.delete(attendance);
  }

  /**
   * A session that was closed is unregistered. It may come back at once, and is not to be sent again what it
   * has acknowledged; but other sessions of the user may not have been sent that yet.
   */
  async departed({ namespace, principal: { userId } }: Attendee): Promise<void> {
    if (!this.byClient || !this.takings.waitsFor(namespace, userId)) return;
    try {
      const others = await this.backplane.registry.sessionsOf(namespace, [userId]);
      if (others === 0) this.takings.flush(namespace, userId);
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'what was acknowledged stays for its time');
    }
  }

  /** Resolves when what was received is taken out, as far as that is possible. */
  async close(): Promise<void> {
    clearInterval(this.retry);
    await this.takings.close();
  }

  private async measure(store: InboxStore): Promise<void> {
    try {
      this.size = [[await store.size()]];
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'inboxes not measured');
      this.size = [];
    }
  }

  private owe(attendance: Attendance): void {
    this.owing.add(attendance);
    this.retry ??= setInterval(() => this.resume(), RETRY_MS).unref();
  }

  private resume(): void {
    clearInterval(this.retry);
    this.retry = undefined;
    const owing = [...this.owing];
    this.owing.clear();
    for (const attendance of owing) attendance.resume();
  }
}

/**
 * How an event that is kept reaches the sessions that are there: it is sent live, or they are told
 * to fetch it.
 */
export function keptAct(
  { inboxAck }: Pick<Config, 'inboxAck'>,
  publication: Publication,
  users: readonly string[],
): Publication | Notice {
  if (inboxAck === 'heartbeat') return publication;
  const { namespace } = publication;
  return { namespace, to: users.map(userRoom), body: { kind: 'inbox', users } };
}

function nameOfSession({ namespace, principal }: Attendee): string {
  return nameOf(namespace, userRoom(principal.userId));
}

function nameOf(namespace: string, room: string): string {
  return `${namespace}:${room}`;
}
