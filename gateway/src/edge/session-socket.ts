import { type Namespace, Socket } from 'socket.io';
import { CLOSINGS, type ClosingCause } from '@streamgate/protocol/closings';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Principal } from '@streamgate/protocol/principal';
import type { SentEventName, SentPayload } from '@streamgate/protocol/event-maps';
import { roomKey, roomName } from '../backplane/room-key.js';
import type { SessionData } from '../backplane/backplane.js';
import type { Attendee, Wants } from '../inbox/attendee.js';
import { metrics } from '../ops/metrics.js';
import { closeConnection, terminateConnection } from './close-connection.js';
import { Hold, type HoldOptions } from './hold.js';
import {
  PACKET,
  type Client,
  type Packet,
  type PreviousSession,
  asSocketIoSession,
  askClient,
  encoded,
  connectionOf,
  forgetHandshake,
  markRecovered,
  whenSent,
  writePacket,
} from './socket-io-internals.js';
import { writeTogether } from './write-together.js';

/** What happens around a session; one object serves all sessions. */
export interface SessionHooks {
  event(session: SessionSocket, packet: Packet): void;
  /** @param rooms names of the rooms that it was in until now */
  closed(session: SessionSocket, reason: string, rooms: readonly string[]): void;
  renew(session: SessionSocket, token: string): Promise<number | undefined>;
  readonly holding: HoldOptions;
  /** Its data has changed: resolves when other nodes know. */
  changed(session: SessionSocket): Promise<void>;
}

/**
 * A session over a Socket.IO socket. Events of the client come in by overriding `_onpacket`: no
 * listener, closure or map entry per session and event (idle heap is what 10,000 sessions cost).
 */
export class SessionSocket extends Socket implements Attendee {
  readonly connectedAt = Date.now();
  principal: Principal;
  /** Set when the token ran out and the grace time began. */
  expired = false;
  /** Events refused as unknown so far: the client is told once per name, up to a bound. */
  unknownEvents: Set<string> | undefined;
  /**
   * A version 2 client opens `/` by itself on its way to another namespace: until its first event
   * such a session is neither registered nor announced.
   */
  dormant = false;
  /** Stands between it and the backplane, while something does. */
  private held: Hold | undefined;
  private readonly hooks: SessionHooks;

  constructor(
    namespace: Namespace,
    client: Client,
    auth: Record<string, unknown>,
    previous: PreviousSession,
    principal: Principal,
    recovered: boolean,
    hooks: SessionHooks,
  ) {
    super(namespace, client, auth, asSocketIoSession(previous));
    markRecovered(this, recovered);
    forgetHandshake(this);
    this.principal = principal;
    this.hooks = hooks;
  }

  get namespace(): string {
    return this.nsp.name;
  }

  roomNames(): string[] {
    const names: string[] = [];
    for (const key of this.rooms) {
      const name = roomName(key);
      if (name !== undefined) names.push(name);
    }
    return names;
  }

  isIn(room: string): boolean {
    return this.rooms.has(roomKey(room));
  }

  /** @param offset given as an extra last argument, for a client that has received nothing yet */
  override send<E extends SentEventName>(event: E, payload: SentPayload<E>, offset?: string): this {
    const data: unknown[] = [event, payload];
    if (offset !== undefined) data.push(offset);
    writePacket(this, { type: PACKET.event, data });
    return this;
  }

  sendError(error: GatewayError, event?: string): void {
    const body = error.toBody();
    this.send('error', event === undefined ? body : { ...body, event });
  }

  acknowledge(id: number, answer: unknown): void {
    writePacket(this, { type: PACKET.ack, id, data: [answer] });
  }

  /** As `hold`; what it has missed, events with their offsets, is the first that waits. */
  holdBack(missed: readonly unknown[][]): void {
    this.held ??= new Hold(this, this.hooks.holding);
    this.held.begin(missed.map((data) => encoded(this, { type: PACKET.event, data })));
  }

  hold(wants: Wants): void {
    this.held ??= new Hold(this, this.hooks.holding);
    this.held.keep(wants);
  }

  sift(wants: Wants): string[] {
    this.held ??= new Hold(this, this.hooks.holding);
    return this.held.pass(wants);
  }

  release(): string[] {
    const sent = this.held?.end() ?? [];
    this.held = undefined;
    return sent;
  }

  deliver(events: readonly unknown[][], acked?: (index: number) => void): Promise<boolean> {
    writeTogether(this.client, () => {
      for (const [index, data] of events.entries())
        if (acked) askClient(this, data, () => acked(index));
        else writePacket(this, { type: PACKET.event, data });
    });
    return whenSent(connectionOf(this.client));
  }

  onHeartbeat(listener: () => void): () => void {
    const { conn } = this.client;
    conn.on('heartbeat', listener);
    return () => void conn.off('heartbeat', listener);
  }

  async setInbox(inbox: SessionData['inbox']): Promise<void> {
    const data = this.data as SessionData;
    if (data.inbox === inbox) return;
    data.inbox = inbox;
    await this.hooks.changed(this);
  }

  renew(token: string): Promise<number | undefined> {
    return this.hooks.renew(this, token);
  }

  /** @param said stands in place of what the catalogue says */
  close(cause: ClosingCause, said: { code?: string; message?: string } = {}): void {
    if (!this.connected) return;
    const { code, method } = CLOSINGS[cause];
    metrics.closings.add(cause);
    if (code !== undefined) this.send('error', { ...new GatewayError(code).toBody(), ...said });
    if (method === 'disconnect') this.disconnect(true);
    else if (method === 'transport') closeConnection(connectionOf(this.client));
    else terminateConnection(connectionOf(this.client));
  }

  override _onpacket(packet: Packet & Parameters<Socket['_onpacket']>[0]): void {
    if (packet.type !== PACKET.event && packet.type !== PACKET.binaryEvent) super._onpacket(packet);
    else if (this.connected) this.hooks.event(this, packet);
  }

  override _onclose(reason: never, description?: unknown): this | undefined {
    if (!this.connected) return this;
    const rooms = this.roomNames();
    super._onclose(reason, description);
    this.hooks.closed(this, reason, rooms);
    return undefined;
  }
}
