import type { Health } from './link.js';
import type { Refusal } from './refusal.js';

/** Settings of a node, all of them set. */
export interface NodeSettings {
  readonly prefix: string;
  readonly recoverySeconds: number | undefined;
  readonly timeoutMs: number;
  readonly mailboxBytes: number;
  readonly leaseMs: number;
}

/** What a node tells whoever made it. */
export interface NodeEvents {
  health: [Health];
  /** This node had been cleared away as dead; it goes on under another name. */
  fenced: [];
  /** A session came back and was not continued. */
  unrecovered: [Refusal];
  /** Something could not be done; it was not an outage of Redis. */
  fault: [Error];
  /** A tagged event was handed to the sessions of this node that are in these rooms. */
  tagged: [namespace: string, rooms: readonly string[], tag: string];
  /**
   * Events in a row were handed to so many sessions of this node; `contexts` of those that have one.
   * `began`: when that was about to be done, in ms since the epoch.
   */
  delivered: [contexts: readonly string[], events: number, sessions: number, began: number];
  /** A node tells others something; `rooms` is empty when it tells all. */
  notice: [namespace: string, rooms: readonly string[], body: unknown];
}
