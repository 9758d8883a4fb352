/** What an event is given to; its arguments are the event's. */
export type Listener = (...args: never[]) => void;

/** Listeners by event name. What has none keeps nothing: there may be very many of these. */
export class Emitter {
  private listeners: Map<string, Listener[]> | undefined;

  /** Calls `listener` at each such event. */
  on(event: string, listener: Listener): this {
    this.listeners ??= new Map();
    const known = this.listeners.get(event);
    if (known) known.push(listener);
    else this.listeners.set(event, [listener]);
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
    else if (!listener) this.listeners?.delete(event);
    else {
      const rest = this.listeners?.get(event)?.filter((known) => known !== listener) ?? [];
      if (rest.length > 0) this.listeners?.set(event, rest);
      else this.listeners?.delete(event);
    }
    return this;
  }

  /** Calls the listeners in the order in which they came. */
  protected fire(event: string, ...args: unknown[]): void {
    const listeners = this.listeners?.get(event);
    if (!listeners) return;
    // A listener may remove itself or add another while it runs.
    for (const listener of listeners.length > 1 ? [...listeners] : listeners) {
      listener(...(args as never[]));
    }
  }
}
