import http from 'k6/http';
import { WebSocket } from 'k6/websockets';
import type { Frame } from './packet.ts';
import { address, type Target, type Transport, type TransportOwner } from './transport.ts';

/** What is used of k6's WebSocket; the enums of its types do not exist in k6. */
interface Connection {
  binaryType: 'arraybuffer' | 'blob';
  readonly readyState: number;
  send(frame: Frame): void;
  close(): void;
  addEventListener(event: 'message', listener: (event: Message) => void): void;
  addEventListener(event: 'error', listener: (event: { error: string }) => void): void;
  addEventListener(event: 'open' | 'close', listener: () => void): void;
}

interface Message {
  data: Frame;
  /** When it came off the network, in ms since 1970. */
  timestamp: number;
}

const OPEN = 1;

/** Engine.IO over a WebSocket: a packet is a frame. */
export class WebSocketTransport implements Transport {
  writable = false;
  private readonly ws: Connection;
  private readonly owner: TransportOwner;
  declare private message: Message | undefined;
  declare private error: string | undefined;
  declare private closed: true | undefined;

  constructor(target: Target, owner: TransportOwner) {
    this.owner = owner;
    const { headers, tags } = target;
    // Never the jar that k6 has for all of a VU.
    const jar = target.jar ?? new http.CookieJar();
    const url = address(target, 'websocket', owner.id);
    this.ws = new WebSocket(url, null, { headers, tags, jar }) as unknown as Connection;
    this.ws.binaryType = 'arraybuffer';
    this.ws.addEventListener('open', () => {
      if (this.closed) return this.ws.close();
      this.writable = true;
      owner.opened(this);
    });
    this.ws.addEventListener('message', (message) => this.hear(message));
    this.ws.addEventListener('error', ({ error }) => {
      this.error = error;
      // Once open, what k6 calls an error is to a browser just a closed connection.
      if (!this.writable) this.end(() => owner.failed(this, 'websocket error', error));
    });
    this.ws.addEventListener('close', () => {
      const details = { description: 'websocket connection closed', context: this.error };
      this.end(() => owner.ended(this, details));
    });
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
  }

  private hear(message: Message): void {
    if (this.closed) return;
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
