import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { WebSocket } from 'k6/websockets';
import type { Frame } from './packet.ts';
import { after, cancel, type Waiting } from './timers.ts';
import { address, type Target, type Transport, type TransportOwner } from './transport.ts';

/** What is used of k6's WebSocket; the enums of its types do not exist in k6. */
interface Connection {
  binaryType: 'arraybuffer' | 'blob';
  readonly readyState: number;
  send(frame: Frame): void;
  close(): void;
  ping(): void;
  addEventListener(event: 'message', listener: (event: Message) => void): void;
  addEventListener(event: 'error', listener: (event: { error: string }) => void): void;
  addEventListener(event: 'open' | 'close' | 'pong', listener: () => void): void;
}

interface Message {
  data: Frame;
  /** When it came off the network, in ms since 1970. */
  timestamp: number;
}

const OPEN = 1;
/** A handshake follows the opening at once; when it does not, who lost it is asked. */
const HANDSHAKE_MS = 500;

const lostHandshakes = new Counter('socketio_handshakes_lost');

/** Engine.IO over a WebSocket: a packet is a frame. */
export class WebSocketTransport implements Transport {
  writable = false;
  declare private ws: Connection;
  private readonly target: Target;
  private readonly owner: TransportOwner;
  declare private message: Message | undefined;
  declare private error: string | undefined;
  declare private closed: true | undefined;
  /** Until the first packet. */
  declare private unheard: Waiting | undefined;

  constructor(target: Target, owner: TransportOwner) {
    this.target = target;
    this.owner = owner;
    this.connect();
  }

  get name(): 'websocket' {
    return 'websocket';
  }

  get receivedAt(): number | undefined {
    return this.message?.timestamp;
  }

  send(frames: Frame[]): void {
    for (const frame of frames) this.ws.send(frame);
  }

  pause(paused: () => void): void {
    paused();
  }

  close(): void {
    this.lose();
    // k6 waits for ever in close() of what is not open yet: `open` does it then.
    if (this.ws.readyState === OPEN) this.ws.close();
  }

  lose(): void {
    this.closed = true;
    this.writable = false;
    this.heard();
  }

  private connect(): void {
    const { owner, target } = this;
    const { headers, tags } = target;
    // Never the jar that k6 has for all of a VU.
    const jar = target.jar ?? new http.CookieJar();
    const url = address(target, 'websocket', owner.id);
    const ws = new WebSocket(url, null, { headers, tags, jar }) as unknown as Connection;
    this.ws = ws;
    ws.binaryType = 'arraybuffer';
    ws.addEventListener('open', () => {
      if (this.closed) return ws.close();
      this.writable = true;
      if (owner.id === undefined) this.unheard = after(HANDSHAKE_MS, () => this.doubt(ws));
      owner.opened(this);
    });
    ws.addEventListener('message', (message) => {
      if (ws === this.ws) this.hear(message);
    });
    ws.addEventListener('error', ({ error }) => {
      if (ws !== this.ws) return;
      this.error = error;
      // Once open, what k6 calls an error is to a browser just a closed connection.
      if (!this.writable) this.end(() => owner.failed(this, 'websocket error', error));
    });
    ws.addEventListener('close', () => {
      if (ws !== this.ws) return;
      const details = { description: 'websocket connection closed', context: this.error };
      this.end(() => owner.ended(this, details));
    });
  }

  /**
   * k6 2.2 throws a frame away that comes before it has got to say `open`, as happens when it is busy.
   * An answer to a ping comes behind the handshake: without one, it is k6 who lost it, and not the
   * server who is slow. Then another connection is made, and counted.
   */
  private doubt(ws: Connection): void {
    ws.addEventListener('pong', () => {
      if (!this.unheard || ws !== this.ws) return;
      lostHandshakes.add(1);
      this.heard();
      this.writable = false;
      ws.close();
      this.connect();
    });
    ws.ping();
  }

  private heard(): void {
    if (!this.unheard) return;
    cancel(this.unheard);
    this.unheard = undefined;
  }

  private hear(message: Message): void {
    if (this.closed) return;
    this.heard();
    this.message = message;
    this.owner.received(this, message.data);
    this.message = undefined;
  }

  private end(tell: () => void): void {
    if (this.closed) return;
    this.lose();
    tell();
  }
}
