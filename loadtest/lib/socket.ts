import { Emitter, type Listener } from './emitter.ts';
import type { Manager } from './manager.ts';
import { ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, RESERVED, type Packet } from './packet.ts';
import { after, cancel, type Waiting } from './timers.ts';

type Auth = Record<string, unknown>;

/** What is of one namespace. */
export interface SocketOptions {
  /** What the server gets as `handshake.auth`, or a function that gives it at each connection. */
  auth?: Auth | ((give: (auth: Auth) => void) => void);
  /** How long an answer may take where `timeout` says nothing, in ms. For ever. */
  ackTimeout?: number;
}

/** What `connect_error` is given: a refusal by the server, with its `data`, or a transport's failure. */
export interface ConnectError extends Error {
  data?: unknown;
  description?: unknown;
}

interface Ack {
  give(error: Error | null, args: unknown[]): void;
  timer: Waiting | undefined;
}

/**
 * A client of one namespace, with socket.io-client's methods, events and order of things.
 * Reserved events: `connect`, `connect_error` (a ConnectError), `disconnect` (reason, description).
 */
export class Socket extends Emitter {
  readonly io: Manager;
  readonly nsp: string;
  /** Of the present connection; another one after each that was not recovered. */
  declare id: string | undefined;
  connected = false;
  /** Whether this connection took up the state of the one before: rooms and missed events. */
  recovered = false;
  /** Whether it is connected or will be, without another `connect()`. */
  active = false;
  declare auth: SocketOptions['auth'];
  /** @internal Another one of the same Manager. */
  declare next: Socket | undefined;
  declare private readonly ackTimeout: number | undefined;
  declare private pid: string | undefined;
  declare private offset: string | undefined;
  private ids = 0;
  declare private acks: Map<number, Ack> | undefined;
  declare private unsent: Packet[] | undefined;
  declare private early: unknown[][] | undefined;
  declare private any: Listener[] | undefined;
  declare private flags: { volatile?: boolean; timeout?: number } | undefined;

  constructor(io: Manager, nsp: string, { auth, ackTimeout }: SocketOptions) {
    super();
    this.io = io;
    this.nsp = nsp;
    if (auth !== undefined) this.auth = auth;
    if (ackTimeout !== undefined) this.ackTimeout = ackTimeout;
  }

  /** Connects, also after `disconnect()` and after what is not tried again by itself. */
  connect(): this {
    if (this.connected) return this;
    this.active = true;
    this.io.connect();
    if (this.io.isOpen) this.opened();
    return this;
  }

  /** Ends this namespace, and the connection with the last one. Nothing brings it back but `connect()`. */
  disconnect(): this {
    if (this.connected) this.io.send({ type: DISCONNECT, nsp: this.nsp });
    this.leave();
    if (this.connected) this.closed('io client disconnect', undefined);
    return this;
  }

  /** For the next `emit`: how long its answer may take, in ms; its listener gets an error first. */
  timeout(ms: number): this {
    this.flags = { ...this.flags, timeout: ms };
    return this;
  }

  /** For the next `emit`: it may be lost when the connection is not ready. */
  get volatile(): this {
    this.flags = { ...this.flags, volatile: true };
    return this;
  }

  /** Sends an event; before the connection it is kept. A function as last argument gets the answer. */
  emit(event: string, ...args: unknown[]): this {
    const last = args.at(-1);
    if (typeof last !== 'function') return this.dispatch(event, args, undefined);
    const listener = last as (...answer: unknown[]) => void;
    const timed = (this.flags?.timeout ?? this.ackTimeout) !== undefined;
    return this.dispatch(event, args.slice(0, -1), (error, answer) => {
      if (timed) listener(error, ...answer);
      else if (!error) listener(...answer);
    });
  }

  /** Sends an event and gives its answer; rejects when the connection ends or `timeout` passes before. */
  emitWithAck<T = unknown>(event: string, ...args: unknown[]): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.dispatch(event, args, (error, answer) => {
        if (error) reject(error);
        else resolve(answer[0] as T);
      });
    });
  }

  /** Calls `listener` with the name and arguments of each event, before its own listeners. */
  onAny(listener: Listener): this {
    this.any = [...(this.any ?? []), listener];
    return this;
  }

  /** Forgets one listener of any event, or all. */
  offAny(listener?: Listener): this {
    this.any = listener && this.any?.filter((known) => known !== listener);
    return this;
  }

  /** @internal */
  opened(): void {
    const { auth } = this;
    const greet = (data: Auth | undefined) => {
      const recovery = this.pid !== undefined && { pid: this.pid, offset: this.offset };
      this.io.send({
        type: CONNECT,
        nsp: this.nsp,
        data: recovery ? { ...recovery, ...data } : data,
      });
    };
    if (typeof auth === 'function') auth(greet);
    else greet(auth);
  }

  /** @internal */
  failed(error: Error): void {
    if (!this.connected) this.fire('connect_error', error);
  }

  /** @internal */
  closed(reason: string, description: unknown): void {
    const { unsent } = this;
    this.connected = false;
    this.id = undefined;
    this.fire('disconnect', reason, description);
    for (const [id, ack] of this.acks ?? []) {
      if (unsent?.some((packet) => packet.id === id)) continue;
      this.acks?.delete(id);
      if (ack.timer) cancel(ack.timer);
      ack.give(new Error('socket has been disconnected'), []);
    }
  }

  /** @internal */
  received(packet: Packet): void {
    switch (packet.type) {
      case CONNECT:
        return this.welcomed(packet.data as { sid?: string; pid?: string } | undefined);
      case EVENT:
        return this.told(packet);
      case ACK:
        return this.answered(packet);
      case DISCONNECT:
        this.leave();
        return this.closed('io server disconnect', undefined);
      case CONNECT_ERROR: {
        this.leave();
        const { message, data } = packet.data as { message: string; data?: unknown };
        const error: ConnectError = new Error(message);
        error.data = data;
        this.fire('connect_error', error);
      }
    }
  }

  private leave(): void {
    this.active = false;
    this.io.release();
  }

  private dispatch(event: string, args: unknown[], give: Ack['give'] | undefined): this {
    if (RESERVED.has(event)) throw new Error(`"${event}" is a reserved event name`);
    const { volatile, timeout = this.ackTimeout } = this.flags ?? {};
    this.flags = undefined;
    const packet: Packet = { type: EVENT, nsp: this.nsp, data: [event, ...args] };
    if (give) {
      packet.id = this.ids++;
      this.awaitAnswer(packet.id, give, timeout);
    }
    if (volatile && !this.io.engine?.writable) return this;
    if (this.connected) this.io.send(packet);
    else {
      this.unsent ??= [];
      this.unsent.push(packet);
    }
    return this;
  }

  private awaitAnswer(id: number, give: Ack['give'], timeout: number | undefined): void {
    const expire = () => {
      this.acks?.delete(id);
      this.unsent = this.unsent?.filter((packet) => packet.id !== id);
      give(new Error('operation has timed out'), []);
    };
    this.acks ??= new Map();
    this.acks.set(id, {
      give,
      timer: timeout === undefined ? undefined : after(timeout, expire),
    });
  }

  private welcomed(data: { sid?: string; pid?: string } | undefined): void {
    if (data?.sid === undefined) {
      this.fire(
        'connect_error',
        new Error('a server of Socket.IO 2, which this client does not speak'),
      );
      return;
    }
    this.id = data.sid;
    this.recovered = data.pid !== undefined && this.pid === data.pid;
    if (data.pid !== undefined || this.pid !== undefined) this.pid = data.pid;
    this.connected = true;
    const { early, unsent } = this;
    if (early) this.early = undefined;
    early?.forEach((args) => this.hand(args));
    if (unsent) this.unsent = undefined;
    unsent?.forEach((packet) => this.io.send(packet));
    this.fire('connect');
  }

  private told({ data, id }: Packet): void {
    const args = data as unknown[];
    if (id !== undefined) args.push(this.answer(id));
    if (this.connected) return this.hand(args);
    this.early ??= [];
    this.early.push(args);
  }

  private hand(args: unknown[]): void {
    for (const listener of this.any ?? []) listener(...(args as never[]));
    this.fire(...(args as [string, ...unknown[]]));
    const last = args.at(-1);
    if (this.pid !== undefined && typeof last === 'string') this.offset = last;
  }

  private answer(id: number): (...data: unknown[]) => void {
    let sent = false;
    return (...data) => {
      if (sent) return;
      sent = true;
      this.io.send({ type: ACK, nsp: this.nsp, id, data });
    };
  }

  private answered({ id, data }: Packet): void {
    const ack = this.acks?.get(id as number);
    if (!ack) return;
    this.acks?.delete(id as number);
    if (ack.timer) cancel(ack.timer);
    ack.give(null, data as unknown[]);
  }
}
