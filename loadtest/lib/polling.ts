import { b64decode, b64encode } from 'k6/encoding';
import http, { type CookieJar } from 'k6/http';
import type { Frame } from './packet.ts';
import { address, type Target, type Transport, type TransportOwner } from './transport.ts';

const SEPARATOR = '\u001e';

/** Engine.IO over HTTP requests: one that waits for packets, and one for each batch that is sent. */
export class PollingTransport implements Transport {
  readonly name = 'polling';
  writable = false;
  receivedAt: number | undefined;
  private readonly target: Target;
  private readonly owner: TransportOwner;
  private open = false;
  private closed = false;
  private polling = false;
  private paused: (() => void) | undefined;

  constructor(target: Target, owner: TransportOwner) {
    this.target = target;
    this.owner = owner;
    this.poll();
  }

  send(frames: Frame[]): void {
    this.writable = false;
    const body = frames.map(encode).join(SEPARATOR);
    void this.request('POST', body, (status) => {
      if (status !== 200) return this.fail('xhr post error', status);
      this.writable = true;
      this.owner.drained(this);
      this.rest();
    });
  }

  pause(paused: () => void): void {
    this.paused = paused;
    this.rest();
  }

  close(): void {
    // The server then answers the request that waits.
    if (this.open && !this.closed) void this.request('POST', '1', () => {});
    this.lose();
  }

  lose(): void {
    this.closed = true;
    this.writable = false;
  }

  private poll(): void {
    this.polling = true;
    void this.request('GET', null, (status, body) => {
      if (status !== 200) return this.fail('xhr poll error', status);
      this.receivedAt = Date.now();
      for (const packet of body.split(SEPARATOR)) this.hear(packet);
      this.receivedAt = undefined;
      this.polling = false;
      if (this.closed) return;
      if (this.paused) this.rest();
      else this.poll();
    });
  }

  private hear(packet: string): void {
    if (this.closed) return;
    if (packet === '1') {
      this.lose();
      return this.owner.ended(this, { description: 'transport closed by the server' });
    }
    if (!this.open) {
      this.open = true;
      this.writable = true;
      this.owner.opened(this);
    }
    const binary = packet.startsWith('b');
    this.owner.received(this, binary ? b64decode(packet.slice(1), 'std') : packet);
  }

  /** Tells that nothing is under way any more, if that was asked for. */
  private rest(): void {
    const { paused } = this;
    if (!paused || this.polling || !this.writable) return;
    this.paused = undefined;
    this.writable = false;
    paused();
  }

  private fail(reason: string, description: unknown): void {
    if (this.closed) return;
    this.lose();
    this.owner.failed(this, reason, description);
  }

  private async request(
    method: 'GET' | 'POST',
    body: string | null,
    answered: (status: number, body: string) => void,
  ): Promise<void> {
    const { target, owner } = this;
    const headers =
      body === null
        ? target.headers
        : { ...target.headers, 'content-type': 'text/plain;charset=UTF-8' };
    const response = await http.asyncRequest(
      method,
      address(target, 'polling', owner.id),
      body,
      // The server answers within its ping interval; k6 would wait a minute at most.
      {
        headers,
        tags: target.tags,
        jar: target.jar as CookieJar,
        timeout: owner.patience,
        responseType: 'text',
      },
    );
    if (!this.closed) answered(response.status, response.body);
  }
}

function encode(frame: Frame): string {
  return typeof frame === 'string' ? frame : `b${b64encode(frame, 'std')}`;
}
