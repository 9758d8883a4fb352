import type { Socket } from 'socket.io';
import {
  PACKET,
  replaceClient,
  withWrites,
  writeEncoded,
  writePacket,
} from './socket-io-internals.js';

/**
 * Gives a continued session what it missed, behind the packet that says that it is back. What comes
 * before that packet a client keeps: were the connection cut in between, it would show that twice.
 * @returns to be called right behind that packet
 */
export function missedBy(session: Socket, events: readonly unknown[][]): () => void {
  const { client } = session;
  let isGiven = false;
  const give = (): void => {
    if (isGiven) return;
    isGiven = true;
    replaceClient(session, client);
    for (const data of events) writePacket(session, { type: PACKET.event, data });
  };
  // It is in its rooms already: what is delivered before all the same stays behind what it missed.
  const write = (...written: Parameters<Parameters<typeof withWrites>[1]>): void => {
    give();
    writeEncoded(client, ...written);
  };
  if (events.length > 0) replaceClient(session, withWrites(client, write));
  return give;
}
