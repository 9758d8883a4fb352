/** What an event is given to; its arguments are the event's. */
export type Listener = (...args: never[]) => void;

/**
 * Listeners by event name. There may be very many of these: what has none keeps nothing, and a
 * field that is only declared (here and in what extends this) takes no memory until it is set.
 */
export class Emitter {
  declare private listeners: Map<string, Listener | Listener[]> | undefined;

  /** Calls `listener` at each such event. */
  on(event: string, listener: Listener): this {
    this.listeners ??= new Map();
    const known = this.listeners.get(event);
    this.listeners.set(event, known ? [known, listener].flat() : listener);
    return this;
  }

  /** Calls `listener` at the next such event only. */
  once(event: string, listener: Listener): this {
    const first = (...args: never[]) => {
      this.off(event, first);
      listener(...args);
    };
    return this.on(event, first);
  }

  /** Forgets one listener, all of an event, or all. */
  off(event?: string, listener?: Listener): this {
    if (event === undefined) this.listeners = undefined;
    const known = event === undefined ? undefined : this.listeners?.get(event);
    if (event === undefined || !known) return this;
    const rest = listener ? [known].flat().filter((each) => each !== listener) : [];
    if (rest.length > 0) this.listeners?.set(event, rest);
    else this.listeners?.delete(event);
    return this;
  }

  /** Calls the listeners in the order in which they came. */
  protected fire(event: string, ...args: unknown[]): void {
    const known = this.listeners?.get(event);
    if (!known) return;
    if (typeof known === 'function') return known(...(args as never[]));
    for (const listener of known) listener(...(args as never[]));
  }
}
