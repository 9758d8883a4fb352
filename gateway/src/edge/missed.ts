import type { SessionSocket } from './session-socket.js';
import {
  PACKET,
  type WritePackets,
  replaceClient,
  withWrites,
  writeEncoded,
  writePacket,
} from './socket-io-internals.js';

/**
 * What a continued session missed, given to it behind the packet that says that it is back. What comes
 * before that packet a client keeps: were the connection cut in between, it would show that twice.
 */
export class Missed {
  /** It waits for what lies in the inbox: the client has not received it when it is given. */
  readonly isHeld: boolean;
  private readonly client: SessionSocket['client'];
  private isGiven = false;

  /**
   * @param events with their offsets
   * @param isBehindInbox what lies in the session's inbox may be older
   */
  constructor(
    private readonly session: SessionSocket,
    private readonly events: readonly unknown[][],
    isBehindInbox: boolean,
  ) {
    this.client = session.client;
    this.isHeld = isBehindInbox && events.length > 0;
    // It is in its rooms already: what is delivered before all the same stays behind what it missed.
    const write: WritePackets = (...written) => {
      this.give();
      writeEncoded(session.client, ...written);
    };
    if (events.length > 0) replaceClient(session, withWrites(this.client, write));
  }

  /** To be called right behind that packet. */
  give(): void {
    const { session, client, events } = this;
    if (this.isGiven) return;
    this.isGiven = true;
    replaceClient(session, client);
    if (this.isHeld) session.holdBack(events);
    else for (const data of events) writePacket(session, { type: PACKET.event, data });
  }
}
