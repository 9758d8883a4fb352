import type { SessionData } from '../backplane/backplane.js';
import type { Session } from '../backplane/session.js';

/** Whether a session is to be sent a tagged event that has come live. */
export type Wants = (tag: string) => boolean;

/**
 * A session as the inbox sees it; `edge/` implements it. What the backplane sends to it can be kept
 * back, while direct answers go through.
 */
export interface Attendee extends Session {
  /**
   * From now on what comes live waits, but for tagged events that are not wanted: those are dropped.
   * More than `STREAMGATE_MAX_BUFFERED_BYTES` of it end the session as a slow consumer.
   */
  hold(wants: Wants): void;
  /**
   * What waited is sent, as far as it is wanted still, and what comes from now on goes straight
   * through, but for tagged events that are not wanted.
   * @returns tags of what was sent
   */
  sift(wants: Wants): string[];
  /** As `sift`, wanting everything, and nothing stands between any more. */
  release(): string[];
  /**
   * Sends events past all that is held: name and arguments each.
   * @param acked asks the client for an ack of each; called when it has come, with its index
   * @returns whether they have left this process; false when the session ended before
   */
  deliver(events: readonly unknown[][], acked?: (index: number) => void): Promise<boolean>;
  /** Calls back at every heartbeat of the connection, until told to stop. */
  onHeartbeat(listener: () => void): () => void;
  /** Notes how it may be continued: `SessionData.inbox`. Resolves when other nodes know. */
  setInbox(inbox: SessionData['inbox']): Promise<void>;
}
