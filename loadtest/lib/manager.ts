import http from 'k6/http';
import { Backoff } from './backoff.ts';
import { Emitter } from './emitter.ts';
import { Engine, TransportError, type EngineOptions, type EngineOwner } from './engine.ts';
import { Decoder, encode, type Frame, type Packet } from './packet.ts';
import { Socket, type SocketOptions } from './socket.ts';
import { after, cancel, type Waiting } from './timers.ts';
import type { Target, Transport } from './transport.ts';

/** How to connect: socket.io-client's names and values, but for `transports`. */
export interface Options extends SocketOptions {
  /** Where the server listens. `/socket.io` */
  path?: string;
  /** Added to the address of every request. */
  query?: Record<string, string>;
  extraHeaders?: Record<string, string>;
  /** The first is opened; `['polling', 'websocket']` begins with requests and changes. `['websocket']` */
  transports?: ('websocket' | 'polling')[];
  /** Whether polling changes to a WebSocket. `true` */
  upgrade?: boolean;
  /** For a connection to come about, in ms. `20000` */
  timeout?: number;
  reconnection?: boolean;
  reconnectionAttempts?: number;
  /** The first pause, in ms. `1000` */
  reconnectionDelay?: number;
  /** The longest pause, in ms. `5000` */
  reconnectionDelayMax?: number;
  /** The part of a pause by which it may be longer or shorter. `0.5` */
  randomizationFactor?: number;
  /** Connect at once, without `connect()`. `true` */
  autoConnect?: boolean;
  /** Tags of k6's own ws_* and http_* measurements; their `name` is the address without its query. */
  tags?: Record<string, string>;
}

/**
 * One connection to a server, shared by the sockets of its namespaces, and its way back.
 * Events: `open`, `error`, `close`, `ping`, `reconnect_attempt`, `reconnect`, `reconnect_error`,
 * `reconnect_failed`, as socket.io-client's Manager.
 */
export class Manager extends Emitter implements EngineOwner {
  /** The present connection, or the last one. */
  engine: Engine | undefined;
  readonly options: Options;
  private state: 'closed' | 'opening' | 'open' = 'closed';
  private readonly target: Target;
  private readonly backoff: Backoff;
  private readonly sockets: Socket[] = [];
  private decoder = new Decoder();
  private reconnecting = false;
  private skipReconnect = false;
  private timer: Waiting | undefined;
  private offlineUntil = 0;
  private lost: Transport[] | undefined;
  private done: ((error?: Error) => void) | undefined;

  /** `url` is `http://host:port` (or https, ws, wss), with what `query` should be behind `?`. */
  constructor(url: string, options: Options = {}) {
    super();
    this.options = options;
    const parts = /^(https?|wss?):\/\/([^/?#]+)[^?#]*(?:\?([^#]*))?/.exec(url);
    if (!parts) throw new Error(`not the address of a server: ${url}`);
    const [, scheme, host, query] = parts;
    const origin = `${scheme === 'https' || scheme === 'wss' ? 'https' : 'http'}://${host}`;
    const path = `${(options.path ?? '/socket.io').replace(/\/$/, '')}/`;
    this.target = {
      origin,
      path,
      query: options.query ?? (query === undefined ? {} : parseQuery(query)),
      headers: options.extraHeaders ?? {},
      // Without a name each address, with its session's id, would be a time series.
      tags: { name: `${origin}${path}`, ...options.tags },
      jar: new http.CookieJar(),
    };
    const { reconnectionDelay, reconnectionDelayMax, randomizationFactor } = options;
    this.backoff = new Backoff(
      reconnectionDelay ?? 1000,
      reconnectionDelayMax ?? 5000,
      randomizationFactor ?? 0.5,
    );
    if (options.autoConnect !== false) this.open();
  }

  /** The socket of a namespace; asked for again, the same one, connected again if it had ended. */
  socket(nsp: string, options: SocketOptions = this.options): Socket {
    const known = this.sockets.find((socket) => socket.nsp === nsp);
    if (known) {
      if (this.options.autoConnect !== false && !known.active) known.connect();
      return known;
    }
    const socket = new Socket(this, nsp, options);
    this.sockets.push(socket);
    if (this.options.autoConnect !== false) socket.connect();
    return socket;
  }

  /**
   * The network is away for so many ms, as a laptop's or a phone's: the connection is lost without
   * a word of Socket.IO (`disconnect` says `transport close`), every attempt to connect fails at
   * once, and then the ordinary backoff finds the server again. The server sees a closed
   * WebSocket; with `silent` nothing at all, so that only its own ping timeout tells it.
   */
  offline(ms: number, { silent = false }: { silent?: boolean } = {}): void {
    this.offlineUntil = Date.now() + ms;
    if (this.state === 'closed' || !this.engine) return;
    const lost = this.engine.lose(silent);
    if (lost.length > 0) this.lost = [...(this.lost ?? []), ...lost];
  }

  /** Ends the connection of all sockets for good. */
  disconnect(): void {
    this.skipReconnect = true;
    this.reconnecting = false;
    this.lost?.forEach((transport) => transport.close());
    this.lost = undefined;
    this.end('forced close', undefined);
  }

  /** @internal Connects unless that is so or under way. */
  open(done?: (error?: Error) => void): void {
    if (this.state !== 'closed') return;
    this.state = 'opening';
    this.skipReconnect = false;
    this.done = done;
    if (Date.now() < this.offlineUntil) {
      // Not at once: who calls has not yet attached listeners.
      this.timer = after(0, () => this.unopened(new TransportError('websocket error')));
      return;
    }
    const { transports = ['websocket'], upgrade = true, timeout = 20_000 } = this.options;
    const options: EngineOptions = { transports, upgrade, timeout };
    this.engine = new Engine(this.target, options, this);
  }

  /** @internal */
  connect(): void {
    if (!this.reconnecting) this.open();
  }

  /** @internal */
  get isOpen(): boolean {
    return this.state === 'open';
  }

  /** @internal */
  send(packet: Packet): void {
    for (const frame of encode(packet)) this.engine?.send(frame);
  }

  /** @internal Once no socket wants it, the connection ends. */
  release(): void {
    if (!this.sockets.some(({ active }) => active)) this.disconnect();
  }

  /** @internal */
  opened(engine: Engine): void {
    if (engine !== this.engine) return;
    this.state = 'open';
    this.decoder = new Decoder();
    this.fire('open');
    for (const socket of this.active()) socket.opened();
    const { done } = this;
    this.done = undefined;
    done?.();
  }

  /** @internal */
  message(engine: Engine, frame: Frame): void {
    if (engine !== this.engine || this.state !== 'open') return;
    let packet: Packet | undefined;
    try {
      packet = this.decoder.add(frame);
    } catch (error) {
      return this.end('parse error', error);
    }
    if (!packet) return;
    for (const socket of this.sockets) {
      if (socket.nsp === packet.nsp && socket.active) return socket.received(packet);
    }
  }

  /** @internal */
  pinged(engine: Engine): void {
    if (engine === this.engine) this.fire('ping');
  }

  /** @internal */
  failed(engine: Engine, error: Error): void {
    if (engine !== this.engine) return;
    if (this.state === 'opening') return this.unopened(error);
    this.tellError(error);
  }

  /** @internal */
  closed(engine: Engine, reason: string, description: unknown): void {
    if (engine === this.engine && this.state === 'open') this.end(reason, description);
  }

  private unopened(error: Error): void {
    const { done } = this;
    this.done = undefined;
    this.state = 'closed';
    this.tellError(error);
    if (done) done(error);
    else if (!this.reconnecting && this.backoff.attempts === 0) this.reconnect();
  }

  private tellError(error: Error): void {
    this.fire('error', error);
    for (const socket of this.active()) socket.failed(error);
  }

  private end(reason: string, description: unknown): void {
    if (this.timer) cancel(this.timer);
    this.timer = undefined;
    this.state = 'closed';
    this.engine?.close();
    this.backoff.reset();
    this.fire('close', reason, description);
    for (const socket of this.active()) socket.closed(reason, description);
    if (!this.skipReconnect) this.reconnect();
  }

  private reconnect(): void {
    const { reconnection = true, reconnectionAttempts = Infinity } = this.options;
    if (!reconnection || this.reconnecting || this.skipReconnect) return;
    if (this.backoff.attempts >= reconnectionAttempts) {
      this.backoff.reset();
      this.fire('reconnect_failed');
      return;
    }
    this.reconnecting = true;
    this.timer = after(this.backoff.next(), () => this.attempt());
  }

  private attempt(): void {
    if (this.skipReconnect) return;
    this.fire('reconnect_attempt', this.backoff.attempts);
    // A listener may have disconnected.
    if (this.skipReconnect) return;
    this.open((error) => {
      this.reconnecting = false;
      if (error) {
        this.reconnect();
        this.fire('reconnect_error', error);
        return;
      }
      const { attempts } = this.backoff;
      this.backoff.reset();
      this.fire('reconnect', attempts);
    });
  }

  private active(): Socket[] {
    return this.sockets.filter(({ active }) => active);
  }
}

function parseQuery(text: string): Record<string, string> {
  const pairs = text.split('&').map((pair) => pair.split('='));
  return Object.fromEntries(
    pairs.map(([name = '', value = '']) => [decodeURIComponent(name), decodeURIComponent(value)]),
  );
}
