import type { GatewayError } from '@streamgate/protocol/errors';

/** An event as it lies in an inbox. */
export interface StoredEvent {
  readonly tag: string;
  /** JSON of a list: the event's name and its arguments. */
  readonly payload: string;
}

/** One look into an inbox. */
export interface Page {
  /** In the order in which they came. */
  readonly events: readonly StoredEvent[];
  /** Up to here it was looked; give it back as `after`. */
  readonly reached: string;
  /** There is more behind it. */
  readonly more: boolean;
}

export interface Look {
  readonly namespace: string;
  readonly userId: string;
  /** Behind which place; `newest` reads nothing and tells where the newest stands. */
  readonly after: string;
}

/** Before every place. */
export const BEGINNING = '0';
export const NEWEST = '-';

/** Events that need not be kept any more: by name, or all up to a place. */
export interface Taken {
  readonly namespace: string;
  readonly userId: string;
  readonly what: { readonly tags: readonly string[] } | { readonly upTo: string };
}

/** Events for users until they have received them, in memory or in Redis. */
export interface InboxStore {
  /**
   * In the order asked; undefined: the inbox is empty; an error: this one could not be looked into.
   * @throws GatewayError `backplane_unavailable`
   */
  look(looks: readonly Look[]): Promise<(Page | undefined | GatewayError)[]>;
  /** What is not there any more is passed over. @throws GatewayError `backplane_unavailable` */
  take(taken: readonly Taken[]): Promise<void>;
  /**
   * Events in all inboxes together. What expires with an inbox that nobody looks into counts for up to an hour
   * longer.
   * @throws GatewayError `backplane_unavailable`
   */
  size(): Promise<number>;
  /** The listener is called when it may be there again after having been away. */
  onReturn(listener: () => void): void;
}
