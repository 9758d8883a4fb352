/** A way in for commands that reads or listens by itself, beside the HTTP port. */
export interface Door {
  /**
   * Begins to take commands; does not wait for what may be away.
   * @param serves false while this node drains: a door whose work others can do leaves it to them
   */
  start(serves: () => boolean): void | Promise<void>;
  /** Finishes what it has begun and takes no more. */
  close(): Promise<void>;
}
