import http from 'k6/http';
import { Backoff } from './backoff.ts';
import { Emitter } from './emitter.ts';
import { Engine, TransportError, type EngineOwner } from './engine.ts';
import { decode, encode, type Frame, type Packet, type Partial } from './packet.ts';
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
  declare engine: Engine | undefined;
  readonly options: Options;
  /** @internal */
  readonly target: Target;
  private state: 'closed' | 'opening' | 'open' = 'closed';
  /** The first of its sockets; each knows the next. */
  declare private first: Socket | undefined;
  declare private backoff: Backoff | undefined;
  declare private partial: Partial | undefined;
  declare private reconnecting: boolean | undefined;
  declare private skipReconnect: boolean | undefined;
  declare private timer: Waiting | undefined;
  declare private offlineUntil: number | undefined;
  declare private lost: Transport[] | undefined;
  declare private done: ((error?: Error) => void) | undefined;

  /** `url` is `http://host:port` (or https, ws, wss), with what `query` should be behind `?`. */
  constructor(url: string, options: Options = {}) {
    super();
    this.options = options;
    this.target = targetOf(url, options);
    if (options.autoConnect !== false) this.open();
  }

  /** The socket of a namespace; asked for again, the same one, connected again if it had ended. */
  socket(nsp: string, options: SocketOptions = this.options): Socket {
    for (let known = this.first; known; known = known.next) {
      if (known.nsp !== nsp) continue;
      if (this.options.autoConnect !== false && !known.active) known.connect();
      return known;
    }
    const socket = new Socket(this, nsp, options);
    if (this.first) socket.next = this.first;
    this.first = socket;
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
    if (done) this.done = done;
    if (Date.now() < (this.offlineUntil ?? 0)) {
      // Not at once: who calls has not yet attached listeners.
      this.timer = after(0, () => this.unopened(new TransportError('websocket error')));
      return;
    }
    this.engine = new Engine(this);
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
    for (let socket = this.first; socket; socket = socket.next) if (socket.active) return;
    this.disconnect();
  }

  /** @internal */
  opened(engine: Engine): void {
    if (engine !== this.engine) return;
    this.state = 'open';
    if (this.partial) this.partial = undefined;
    this.fire('open');
    this.each((socket) => socket.opened());
    const { done } = this;
    if (!done) return;
    this.done = undefined;
    done();
  }

  /** @internal */
  message(engine: Engine, frame: Frame): void {
    if (engine !== this.engine || this.state !== 'open') return;
    let read: Packet | Partial;
    try {
      read = decode(frame, this.partial);
    } catch (error) {
      return this.end('parse error', error);
    }
    if ('packet' in read) {
      this.partial = read;
      return;
    }
    if (this.partial) this.partial = undefined;
    for (let socket = this.first; socket; socket = socket.next) {
      if (socket.nsp === read.nsp && socket.active) return socket.received(read);
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
    else if (!this.reconnecting && !this.backoff?.attempts) this.reconnect();
  }

  private tellError(error: Error): void {
    this.fire('error', error);
    this.each((socket) => socket.failed(error));
  }

  private end(reason: string, description: unknown): void {
    if (this.timer) cancel(this.timer);
    this.timer = undefined;
    this.state = 'closed';
    this.engine?.close();
    this.backoff?.reset();
    this.fire('close', reason, description);
    this.each((socket) => socket.closed(reason, description));
    if (!this.skipReconnect) this.reconnect();
  }

  private reconnect(): void {
    const { reconnection = true, reconnectionAttempts = Infinity } = this.options;
    if (!reconnection || this.reconnecting || this.skipReconnect) return;
    const { reconnectionDelay, reconnectionDelayMax, randomizationFactor } = this.options;
    const backoff = (this.backoff ??= new Backoff(
      reconnectionDelay ?? 1000,
      reconnectionDelayMax ?? 5000,
      randomizationFactor ?? 0.5,
    ));
    if (backoff.attempts >= reconnectionAttempts) {
      backoff.reset();
      this.fire('reconnect_failed');
      return;
    }
    this.reconnecting = true;
    this.timer = after(backoff.next(), () => this.attempt(backoff));
  }

  private attempt(backoff: Backoff): void {
    if (this.skipReconnect) return;
    this.fire('reconnect_attempt', backoff.attempts);
    // A listener may have disconnected.
    if (this.skipReconnect) return;
    this.open((error) => {
      this.reconnecting = false;
      if (error) {
        this.reconnect();
        this.fire('reconnect_error', error);
        return;
      }
      const { attempts } = backoff;
      backoff.reset();
      this.fire('reconnect', attempts);
    });
  }

  /** Calls `tell` for each socket that wants the connection now. */
  private each(tell: (socket: Socket) => void): void {
    const active: Socket[] = [];
    for (let socket = this.first; socket; socket = socket.next) {
      if (socket.active) active.push(socket);
    }
    active.forEach(tell);
  }
}

const targets = new Map<string, Target>();

/** Where `url` leads; thousands of sockets of a VU that go there alike share one. */
function targetOf(url: string, options: Options): Target {
  const { path = '/socket.io', query, extraHeaders, tags, transports } = options;
  const polling = transports?.includes('polling') ?? false;
  const key = (query ?? extraHeaders ?? tags ?? polling) ? undefined : `${url} ${path}`;
  const known = key === undefined ? undefined : targets.get(key);
  if (known) return known;
  const parts = /^(https?|wss?):\/\/([^/?#]+)[^?#]*(?:\?([^#]*))?/.exec(url);
  if (!parts) throw new Error(`not the address of a server: ${url}`);
  const [, scheme, host, search] = parts;
  const origin = `${scheme === 'https' || scheme === 'wss' ? 'https' : 'http'}://${host}`;
  const slashed = `${path.replace(/\/$/, '')}/`;
  const target: Target = {
    origin,
    path: slashed,
    query: query ?? (search === undefined ? {} : parseQuery(search)),
    headers: extraHeaders ?? {},
    // Without a name each address, with its session's id, would be a time series.
    tags: { name: `${origin}${slashed}`, ...tags },
    jar: polling ? new http.CookieJar() : undefined,
  };
  if (key !== undefined) targets.set(key, target);
  return target;
}

function parseQuery(text: string): Record<string, string> {
  const pairs = text.split('&').map((pair) => pair.split('='));
  return Object.fromEntries(
    pairs.map(([name = '', value = '']) => [decodeURIComponent(name), decodeURIComponent(value)]),
  );
}
