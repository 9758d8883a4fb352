import type { SessionSocket } from './session-socket.js';
import type { Client } from './socket-io-internals.js';

/** CONNECT packets that one connection may send: a namespace each, and a few refusals. */
const MAX_CONNECTS = 16;

/** What ends a session: the cause, and what a service said of it. */
type Ending = Parameters<SessionSocket['close']>;

interface Entrant {
  /** Once its token is known to be good. */
  userId?: string;
  /** Its user was disconnected meanwhile: it goes when it has come. */
  ending?: Ending;
}

/** Clients whose CONNECT is being decided, by namespace. */
export class Entrants {
  private readonly attempts = new WeakMap<Client, number>();
  private readonly namespaces = new Map<string, Map<Client, Entrant>>();

  /** Clients whose CONNECT is being decided now, in all namespaces. */
  get size(): number {
    let size = 0;
    for (const entrants of this.namespaces.values()) size += entrants.size;
    return size;
  }

  /** False when it may not: a client asks once at a time for each namespace, and not without end. */
  enter(namespace: string, client: Client): boolean {
    const attempts = (this.attempts.get(client) ?? 0) + 1;
    this.attempts.set(client, attempts);
    let entrants = this.namespaces.get(namespace);
    if (!entrants) this.namespaces.set(namespace, (entrants = new Map()));
    if (attempts > MAX_CONNECTS || entrants.has(client)) return false;
    entrants.set(client, {});
    return true;
  }

  /** From here on what ends the user's sessions ends this one, too. */
  named(namespace: string, client: Client, userId: string): void {
    const entrant = this.namespaces.get(namespace)?.get(client);
    if (entrant) entrant.userId = userId;
  }

  /**
   * Ends what these users are opening just now. The registry may have it already, so a service that
   * disconnects them counts it, and no room of this node shows it yet.
   */
  close(namespace: string, users: readonly string[], ending: Ending): void {
    const ended = new Set<string | undefined>(users);
    for (const entrant of this.namespaces.get(namespace)?.values() ?? [])
      if (ended.has(entrant.userId)) entrant.ending = ending;
  }

  endingOf(namespace: string, client: Client): Ending | undefined {
    return this.namespaces.get(namespace)?.get(client)?.ending;
  }

  left(namespace: string, client: Client): void {
    this.namespaces.get(namespace)?.delete(client);
  }
}
