import { once } from 'node:events';
import { WebSocket, type RawData } from 'ws';
import { tokenOf, type Person } from './tokens.js';

/** A frame as it came: text, or the bytes of a binary one. */
type Frame = string | Buffer;

/**
 * A connection that speaks Engine.IO and Socket.IO by hand, for what a stock client never sends or
 * never shows: malformed packets, answers that come twice, a reader that stops.
 */
export class Raw {
  readonly ws: WebSocket;
  /** Frames that came and were not taken, pings left out. */
  readonly frames: Frame[] = [];
  /** Settles with the close code. */
  readonly closed: Promise<number>;
  private readonly watchers = new Set<() => void>();

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('error', () => undefined);
    this.closed = new Promise((resolve) => ws.once('close', (code) => resolve(code)));
    ws.on('message', (data: RawData, isBinary: boolean) => {
      const frame = isBinary ? (data as Buffer) : (data as Buffer).toString();
      if (frame === '2') return ws.send('3');
      this.frames.push(frame);
      this.wake();
    });
    ws.once('close', () => this.wake());
  }

  /** Opens a WebSocket to the gateway and takes the Engine.IO handshake. */
  static async open(url: string, eio: 3 | 4 = 4, token = ''): Promise<Raw> {
    const query = `EIO=${eio}&transport=websocket&token=${token}`;
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?${query}`);
    const raw = new Raw(ws);
    await Promise.race([once(ws, 'open'), raw.closed]);
    await raw.next('0');
    return raw;
  }

  /** Opens and connects a session of the person to `/`; `connected` is taken. */
  static async session(url: string, person: Person, eio: 3 | 4 = 4): Promise<Raw> {
    const token = await tokenOf(person);
    const raw = await Raw.open(url, eio, eio === 3 ? token : '');
    // Version 3 of the protocol connects to `/` by itself.
    if (eio === 4) raw.send(`40${JSON.stringify({ token })}`);
    await raw.next('40');
    await raw.next('42["connected"');
    return raw;
  }

  get open(): boolean {
    return this.ws.readyState === WebSocket.OPEN;
  }

  send(frame: Frame): void {
    if (this.open) this.ws.send(frame);
  }

  /** Takes the next text frame that begins so, past others. @throws Error when it never comes */
  async next(prefix: string): Promise<string> {
    const deadline = AbortSignal.timeout(10_000);
    for (;;) {
      const index = this.frames.findIndex(
        (frame) => typeof frame === 'string' && frame.startsWith(prefix),
      );
      if (index >= 0) return this.frames.splice(index, 1)[0] as string;
      const failure = `no ${prefix}; got ${this.frames.map(String).join(' ').slice(0, 500)}`;
      if (!this.open) throw new Error(`closed, ${failure}`);
      await new Promise<void>((resolve, reject) => {
        this.watchers.add(resolve);
        deadline.addEventListener('abort', () => reject(new Error(failure)), { once: true });
      });
    }
  }

  /** Whether the session still answers. @throws Error when it does not */
  async answers(): Promise<void> {
    this.send('42987654["ping"]');
    await this.next('43987654');
  }

  close(): void {
    this.ws.terminate();
  }

  private wake(): void {
    for (const watcher of this.watchers) watcher();
    this.watchers.clear();
  }
}
