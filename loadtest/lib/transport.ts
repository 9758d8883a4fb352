import type { CookieJar } from 'k6/http';
import type { Frame } from './packet.ts';

/** Where a connection goes and how; the same for all transports and attempts of one Manager. */
export interface Target {
  /** `http://host:port`, or https. */
  origin: string;
  /** The path that the server listens at, with slashes around it: `/socket.io/`. */
  path: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  tags: Record<string, string>;
  /** One person's cookies, where requests must all reach one node; else each connection begins without. */
  jar: CookieJar | undefined;
}

/** What `disconnect` says beside its reason; `context` is k6's error, if there was one. */
export interface CloseDetails {
  description: string;
  context?: string | undefined;
}

/** What a transport tells. After `close` it tells nothing more. */
export interface TransportOwner {
  /** The Engine.IO session, once there is one. */
  id: string | undefined;
  /** How long a request may take, in ms. */
  patience: number;
  opened(transport: Transport): void;
  /** An Engine.IO packet: its type as a digit and its data, or the bytes of a binary message. */
  received(transport: Transport, frame: Frame): void;
  /** What was sent before is on its way. */
  drained(transport: Transport): void;
  /** It broke: closed with an error. */
  failed(transport: Transport, reason: string, description: unknown): void;
  /** The other side closed it. */
  ended(transport: Transport, details: CloseDetails): void;
}

/** A way to carry Engine.IO packets. It opens when it is made. */
export interface Transport {
  readonly name: 'websocket' | 'polling';
  /** Whether `send` may be called now. */
  writable: boolean;
  /** When the packet that is being given to `received` came off the network, in ms since 1970. */
  readonly receivedAt: number | undefined;
  send(frames: Frame[]): void;
  /** Stops reading, and then calls `paused`: before another transport takes over. */
  pause(paused: () => void): void;
  /** Closes it; an open WebSocket with code 1000. */
  close(): void;
  /** Hears and says nothing any more, without closing: the network is gone. */
  lose(): void;
}

/** The address of a request, for a session that exists (`sid`) or is to be made. */
export function address(target: Target, transport: string, sid: string | undefined): string {
  const query: Record<string, string> = { ...target.query, EIO: '4', transport };
  if (sid !== undefined) query['sid'] = sid;
  if (transport === 'polling') query['t'] = Math.random().toString(36).slice(2, 10);
  const parts = Object.entries(query).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  const origin = transport === 'websocket' ? target.origin.replace(/^http/, 'ws') : target.origin;
  return `${origin}${target.path}?${parts.join('&')}`;
}
