import type { SessionSocket } from './session-socket.js';

/**
 * Tells sessions by transport, so that a scrape walks only through those that have begun with polling
 * and not through all of 10,000 while the event loop waits.
 */
export class Transports {
  /** Those that have been upgraded go out at the next count; nothing comes back from WebSocket. */
  private readonly polling = new Set<SessionSocket>();

  opened(session: SessionSocket): void {
    if (session.connected && isPolling(session)) this.polling.add(session);
  }

  closed(session: SessionSocket): void {
    this.polling.delete(session);
  }

  /**
   * @param open how many sessions each namespace has
   * @returns namespace, transport, sessions
   */
  count(open: Readonly<Record<string, number>>): [string, string, number][] {
    const polling: Record<string, number> = {};
    for (const session of this.polling)
      if (isPolling(session)) polling[session.namespace] = (polling[session.namespace] ?? 0) + 1;
      else this.polling.delete(session);
    return Object.entries(open).flatMap(([namespace, sessions]) => {
      const slow = polling[namespace] ?? 0;
      return [
        [namespace, 'websocket', sessions - slow],
        [namespace, 'polling', slow],
      ] as [string, string, number][];
    });
  }
}

function isPolling({ client }: SessionSocket): boolean {
  return client.conn.transport.name === 'polling';
}
