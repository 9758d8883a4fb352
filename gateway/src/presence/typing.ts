import type { Delivered, ServerPayload } from '@streamgate/protocol/server-events';
import type { Backplane, Publication } from '../backplane/backplane.js';
import { forward, announce } from '../backplane/forward.js';
import type { Session } from '../backplane/session.js';

/** Typing ends by itself so long after the last start, in milliseconds (the contract's 5 s). */
const LASTS_MS = 5000;

/** A session that types in a room. */
interface Typist {
  readonly session: Session;
  readonly room: string;
  readonly discussionId: string | undefined;
  /** On the monotonic clock, in milliseconds. */
  endsAt: number;
  /** How far its start went. */
  readonly told: Promise<Delivered>;
}

/** What the others are told of a session that types, or no more. */
export type Indicator = (
  session: Session,
  room: string,
  discussionId: string | undefined,
  isTyping: boolean,
) => Pick<Publication, 'event' | 'args'>;

/**
 * Who is typing, on this node; the others in the room are told of beginning and end. Whether a
 * session may type in a room is decided before.
 */
export class Typing {
  /** All last equally long: in the order of their last start, the first ends first. */
  private readonly typists = new Set<Typist>();
  private readonly bySession = new Map<string, Map<string, Typist>>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly backplane: Backplane,
    private readonly indicator: Indicator = typingIndicator,
  ) {}

  /** A start while typing only lasts longer: the others know already. */
  start(session: Session, room: string, discussionId?: string): Promise<Delivered> {
    const mine = this.bySession.get(session.id) ?? new Map<string, Typist>();
    const key = keyOf(room, discussionId);
    const endsAt = performance.now() + LASTS_MS;
    let typist = mine.get(key);
    if (typist) {
      this.typists.delete(typist);
      typist.endsAt = endsAt;
    } else {
      const told = forward(this.backplane, this.toOthers(session, room, discussionId, true));
      typist = { session, room, discussionId, endsAt, told };
      mine.set(key, typist);
      this.bySession.set(session.id, mine);
    }
    this.typists.add(typist);
    this.timer ??= setTimeout(() => this.sweep(), LASTS_MS).unref();
    return typist.told;
  }

  /** Says nothing when the session was not typing there. */
  async stop(session: Session, room: string, discussionId?: string): Promise<Delivered> {
    const typist = this.bySession.get(session.id)?.get(keyOf(room, discussionId));
    if (!typist) return { scope: 'cluster' };
    this.forget(typist);
    return forward(this.backplane, this.toOthers(session, room, discussionId, false));
  }

  /** The session left the room: it no longer types in it, in whatever discussion. */
  left(session: Session, room: string): void {
    for (const typist of this.ofSession(session)) if (typist.room === room) this.end(typist);
  }

  /** The session ended. */
  ended(session: Session): void {
    for (const typist of this.ofSession(session)) this.end(typist);
  }

  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private toOthers(...typist: Parameters<Indicator>): Publication {
    const [{ id, namespace }, room] = typist;
    return { namespace, to: [room], exceptSessions: [id], ...this.indicator(...typist) };
  }

  private sweep(): void {
    this.timer = undefined;
    const now = performance.now();
    for (const typist of this.typists) {
      if (typist.endsAt > now) {
        this.timer = setTimeout(() => this.sweep(), typist.endsAt - now).unref();
        return;
      }
      this.end(typist);
    }
  }

  private end(typist: Typist): void {
    this.forget(typist);
    const { session, room, discussionId } = typist;
    announce(this.backplane, this.toOthers(session, room, discussionId, false));
  }

  private forget(typist: Typist): void {
    const { session, room, discussionId } = typist;
    this.typists.delete(typist);
    const mine = this.bySession.get(session.id);
    mine?.delete(keyOf(room, discussionId));
    if (mine?.size === 0) this.bySession.delete(session.id);
  }

  private ofSession(session: Session): Typist[] {
    return [...(this.bySession.get(session.id)?.values() ?? [])];
  }
}

/** Room names hold no control characters, so the pair cannot be mistaken for another. */
function keyOf(room: string, discussionId: string | undefined): string {
  return discussionId === undefined ? room : `${room}\n${discussionId}`;
}

const typingIndicator: Indicator = (session, room, discussionId, isTyping) => {
  const { userId, username } = session.principal;
  const payload: ServerPayload<'typing_indicator'> = {
    room,
    ...(discussionId !== undefined && { discussionId }),
    userId,
    username,
    isTyping,
  };
  return { event: 'typing_indicator', args: [payload] };
};
