import type { Config } from '../config.js';
import {
  type FloodLimits,
  type FloodMeter,
  type FloodVerdict,
  floodLimits,
  takeBytes,
  takeEvent,
} from './flood.js';
import { terminateConnection } from './close-connection.js';
import type { SessionSocket } from './session-socket.js';
import { type Connection, connectionOf } from './socket-io-internals.js';

/** The meter of a connection, and the session to end when bytes alone are too many. */
class ConnectionMeter implements FloodMeter {
  eventsPaidUntil = 0;
  bytesPaidUntil = 0;
  session: SessionSocket | undefined;
}

type Metered = Connection & { floodMeter?: ConnectionMeter };

/**
 * Limits what clients send. Bytes are counted as they come in, so that packets which never become
 * an event count too; sessions of one connection share its meter.
 */
export class FloodGuard {
  private readonly limits: FloodLimits;

  constructor(config: Config) {
    this.limits = floodLimits(config);
  }

  /** Begins to count a new connection's bytes. */
  watch(connection: Metered): void {
    connection.floodMeter = new ConnectionMeter();
    const { limits } = this;
    // A frame of nothing but its type has no data.
    connection.on('data', (data: string | Buffer | undefined) => {
      const meter = connection.floodMeter;
      if (!meter || takeBytes(meter, limits, data?.length ?? 0, performance.now()) !== 'close')
        return;
      if (meter.session?.connected) meter.session.close('flood');
      else terminateConnection(connection);
    });
  }

  opened(session: SessionSocket): void {
    const { floodMeter } = connectionOf(session.client) as Metered;
    if (floodMeter) floodMeter.session = session;
  }

  /** Takes one event of a session, which its bytes may have made too much already. */
  take(session: SessionSocket): FloodVerdict {
    const { floodMeter } = connectionOf(session.client) as Metered;
    if (!floodMeter) return 'ok';
    const now = performance.now();
    const events = takeEvent(floodMeter, this.limits, now);
    return events === 'ok' ? takeBytes(floodMeter, this.limits, 0, now) : events;
  }
}
