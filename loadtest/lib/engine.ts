import { expect, giveUp, type Waiting } from './timers.ts';
import type { Frame } from './packet.ts';
import { PollingTransport } from './polling.ts';
import type { CloseDetails, Target, Transport, TransportOwner } from './transport.ts';
import { WebSocketTransport } from './websocket.ts';

/** Who uses an engine, and how. */
export interface EngineOwner {
  readonly target: Target;
  readonly options: {
    /** The first one is opened; a WebSocket behind polling is changed to when the server offers it. */
    transports?: ('websocket' | 'polling')[];
    upgrade?: boolean;
    /** For the handshake, in ms. */
    timeout?: number;
  };
  opened(engine: Engine): void;
  /** The frame of a message, without Engine.IO's type. */
  message(engine: Engine, frame: Frame): void;
  pinged(engine: Engine): void;
  /** No connection came about, or one ended with an error; `closed` follows if it was open. */
  failed(engine: Engine, error: TransportError): void;
  closed(engine: Engine, reason: string, description: unknown): void;
}

/** Why a transport failed; `description` is what k6 says. */
export class TransportError extends Error {
  readonly description: unknown;

  constructor(message: string, description?: unknown) {
    super(message);
    this.description = description;
  }
}

interface Handshake {
  sid: string;
  upgrades: string[];
  pingInterval: number;
  pingTimeout: number;
  maxPayload: number;
}

/** One Engine.IO 4 connection: handshake, heartbeat, upgrade. It opens when it is made. */
export class Engine implements TransportOwner, Waiting {
  declare id: string | undefined;
  state: 'opening' | 'open' | 'closing' | 'closed' = 'opening';
  /** The handshake must be done by then; later, the next ping must come. */
  deadline: number;
  /** How long the server may be silent, in ms. */
  patience: number;
  /** What carries packets now. */
  transport: Transport;
  private readonly owner: EngineOwner;
  /** What waits for a transport that can be written to. */
  declare private waiting: Frame[] | undefined;
  declare private probe: Transport | undefined;
  declare private changing: boolean | undefined;
  declare private maxPayload: number | undefined;

  constructor(owner: EngineOwner) {
    this.owner = owner;
    const { target, options } = owner;
    this.patience = options.timeout ?? 20_000;
    this.deadline = Date.now() + this.patience;
    expect(this);
    this.transport =
      options.transports?.[0] === 'polling'
        ? new PollingTransport(target, this)
        : new WebSocketTransport(target, this);
  }

  /** Whether what is sent now goes out now. */
  get writable(): boolean {
    return this.state === 'open' && !this.changing && this.transport.writable;
  }

  /** When the packet that is being handled came off the network, in ms since 1970. */
  get receivedAt(): number | undefined {
    return this.transport.receivedAt;
  }

  /** Sends one frame of a message. */
  send(frame: Frame): void {
    this.write(typeof frame === 'string' ? `4${frame}` : frame);
  }

  /** Closes the connection once all that was sent is on its way. */
  close(): void {
    if (this.state === 'closed') giveUp(this);
    if (this.state !== 'opening' && this.state !== 'open') return;
    const busy = this.waiting || (this.state === 'open' && !this.transport.writable);
    this.state = 'closing';
    if (!busy) this.end('forced close', undefined);
  }

  /**
   * The network is gone. Its server is told (a WebSocket is closed), or, if `silent`, has to find
   * out: what then is left of this connection is given back, to be closed some time.
   */
  lose(silent: boolean): Transport[] {
    const { state, transport, probe } = this;
    if (state === 'opening') this.fail(new TransportError('network connection lost'));
    if (state !== 'open') return [];
    this.end('transport close', { description: 'network connection lost' }, silent);
    if (!silent) return [];
    return probe ? [transport, probe] : [transport];
  }

  expire(): void {
    if (this.state === 'open' || this.state === 'closing') this.end('ping timeout', undefined);
    else this.fail(new TransportError('timeout'));
  }

  opened(transport: Transport): void {
    if (transport === this.probe) transport.send(['2probe']);
  }

  received(transport: Transport, frame: Frame): void {
    if (transport === this.probe) return this.changeTo(transport, frame);
    if (typeof frame !== 'string') return this.owner.message(this, frame);
    switch (frame[0]) {
      case '4':
        return this.owner.message(this, frame.slice(1));
      case '2':
        this.write('3');
        this.deadline = Date.now() + this.patience;
        return this.owner.pinged(this);
      case '0':
        return this.greeted(JSON.parse(frame.slice(1)) as Handshake);
      case '1':
      case '3':
      case '5':
      case '6':
        return;
      default:
        this.fail(new TransportError('server error', 'parser error'));
    }
  }

  drained(transport: Transport): void {
    if (transport !== this.transport) return;
    this.flush();
    if (this.state === 'closing' && !this.waiting && transport.writable) {
      this.end('forced close', undefined);
    }
  }

  failed(transport: Transport, reason: string, description: unknown): void {
    if (transport === this.probe) this.probe = undefined;
    else this.fail(new TransportError(reason, description));
  }

  ended(transport: Transport, details: CloseDetails): void {
    if (transport === this.probe) this.probe = undefined;
    else this.end('transport close', details);
  }

  private greeted({ sid, upgrades, pingInterval, pingTimeout, maxPayload }: Handshake): void {
    this.id = sid;
    this.patience = pingInterval + pingTimeout;
    if (this.transport.name === 'polling') this.maxPayload = maxPayload;
    this.deadline = Date.now() + this.patience;
    this.state = 'open';
    // It may be sooner than the handshake's.
    expect(this);
    this.owner.opened(this);
    const { target, options } = this.owner;
    const better = upgrades.includes('websocket') && options.transports?.includes('websocket');
    // Who was told may have closed it.
    if (better && options.upgrade !== false && this.id !== undefined) {
      this.probe = new WebSocketTransport(target, this);
    }
  }

  /** The answer to the probe: the old transport is emptied, then the new one takes over. */
  private changeTo(transport: Transport, frame: Frame): void {
    if (frame !== '3probe') return;
    this.changing = true;
    this.transport.pause(() => {
      if (this.state === 'closed' || transport !== this.probe) return;
      this.transport.lose();
      this.transport = transport;
      this.probe = undefined;
      this.changing = false;
      transport.send(['5']);
      this.drained(transport);
    });
  }

  private write(frame: Frame): void {
    if (this.state === 'closed') return;
    if (this.writable && this.transport.name === 'websocket') return this.transport.send([frame]);
    this.waiting ??= [];
    this.waiting.push(frame);
    this.flush();
  }

  private flush(): void {
    if (!this.waiting || this.changing || !this.transport.writable) return;
    const batch = this.waiting.splice(0, this.fitting(this.waiting));
    if (this.waiting.length === 0) this.waiting = undefined;
    this.transport.send(batch);
  }

  /** How many of these may go in one request. */
  private fitting(frames: Frame[]): number {
    if (this.transport.name === 'websocket' || !this.maxPayload) return frames.length;
    let size = 0;
    for (const [index, frame] of frames.entries()) {
      // UTF-8 has up to 3 bytes for a unit, base64 4 characters for 3 bytes.
      size += typeof frame === 'string' ? frame.length * 3 : frame.byteLength * 2;
      if (index > 0 && size > this.maxPayload) return index;
    }
    return frames.length;
  }

  private fail(error: TransportError): void {
    this.owner.failed(this, error);
    this.end('transport error', error);
  }

  private end(reason: string, description: unknown, silent = false): void {
    if (this.state === 'closed') return;
    // As in socket.io-client: closed cleanly before the handshake is a failure only after `timeout`.
    if (this.state !== 'opening' || reason !== 'transport close') giveUp(this);
    this.state = 'closed';
    for (const transport of [this.transport, this.probe]) {
      if (silent) transport?.lose();
      else transport?.close();
    }
    this.id = undefined;
    this.probe = undefined;
    this.waiting = undefined;
    this.owner.closed(this, reason, description);
  }
}
