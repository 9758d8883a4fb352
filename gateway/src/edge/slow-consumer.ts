import type { Server } from 'socket.io';
import { metrics } from '../ops/metrics.js';
import { terminateConnection } from './close-connection.js';
import type { Connection } from './socket-io-internals.js';

export interface SlowConsumerOptions {
  /** Unsent bytes that a connection may have when a further packet is put to it. */
  readonly maxBufferedBytes: number;
  /** It was ended; `unsentBytes` is what it had not read. */
  readonly onSlow: (connection: Connection, unsentBytes: number) => void;
}

/** The parts of an Engine.IO packet and connection that hold unsent bytes. */
interface Packet {
  readonly data?: string | Buffer;
}
interface Buffered extends Pick<Connection, 'readyState' | 'transport'> {
  readonly writeBuffer: readonly Packet[];
}
type Listener = (this: Buffered) => void;

/** Bytes of a `writeBuffer`, counted packet by packet as it grows. */
interface Tally {
  packets: number;
  bytes: number;
}

/**
 * Ends connections that do not read what they are sent, and gives their memory back at once; their
 * clients come back and may recover. Looked at before each packet, so a connection never holds
 * more than the limit and the packet that crosses it.
 */
export function watchSlowConsumers(engine: Server['engine'], options: SlowConsumerOptions): void {
  const { maxBufferedBytes, onSlow } = options;
  // By buffer: Engine.IO begins a new one with every flush, and the tally goes with the old one.
  const tallies = new WeakMap<readonly Packet[], Tally>();

  function waitingBytes(buffer: readonly Packet[]): number {
    let tally = tallies.get(buffer);
    if (!tally) tallies.set(buffer, (tally = { packets: 0, bytes: 0 }));
    for (; tally.packets < buffer.length; tally.packets++)
      tally.bytes += bytesOf(buffer[tally.packets]?.data);
    return tally.bytes;
  }

  /** One for all connections; for a healthy one it reads two numbers. */
  const onPacket: Listener = function () {
    const { transport, writeBuffer } = this;
    let unsent = transport.socket?.bufferedAmount ?? 0;
    if (writeBuffer.length > 0) unsent += waitingBytes(writeBuffer);
    if (unsent <= maxBufferedBytes || this.readyState === 'closed') return;
    const connection = this as unknown as Connection;
    metrics.closings.add('slow_consumer');
    onSlow(connection, unsent);
    terminateConnection(connection);
  };

  engine.on('connection', (connection: { on(event: 'packetCreate', listener: Listener): void }) => {
    connection.on('packetCreate', onPacket);
  });
}

function bytesOf(data: Packet['data']): number {
  return data === undefined ? 0 : Buffer.byteLength(data);
}
