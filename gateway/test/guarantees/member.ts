import { SignJWT } from 'jose';
import { Manager, type Socket } from 'socket.io-client';
import { SECRET } from '../node.ts';
import type { Life } from './judge.ts';

const AGAIN_MS = 50;

/** What the members live in. */
export interface World {
  /** Where a connect may go now. */
  urls(): readonly string[];
  /** How long a connect may take before it is given up, in ms. */
  readonly connectMs: number;
  /** Whether a node stood still: what it delivers has waited for it. */
  stoodStill(url: string): boolean;
  began(life: Life): void;
  cameBack(recovered: boolean): void;
  random(): number;
}

interface Numbered {
  readonly number: number;
  /** When it was written, in ms since the epoch. */
  readonly at: number;
}

/** A user with one stock client, which comes back to a node of chance whenever its transport is gone. */
export class Member {
  private readonly world: World;
  private readonly number: number;
  private readonly socket: Socket;
  private life: Life | undefined;
  private connecting = false;
  private leaving = false;
  private url = '';
  /** What was written before waited for a node that stood still, in ms since the epoch. */
  private excusedUntil = 0;

  private constructor(world: World, number: number, token: string) {
    this.world = world;
    this.number = number;
    const manager = new Manager('http://0.0.0.0', {
      transports: ['websocket'],
      reconnection: false,
      autoConnect: false,
      forceNew: true,
    });
    this.socket = manager.socket('/', { auth: { token } });
    this.socket.on('numbered', ({ number: nth, at }: Numbered) => {
      const excused = world.stoodStill(this.url) || at < this.excusedUntil;
      const waited = excused ? 0 : Date.now() - at;
      this.life?.received.push({ number: nth, waited });
    });
    this.socket.on('disconnect', () => {
      if (!this.leaving && !this.connecting) void this.connect();
    });
  }

  /** @param number of the user: its id is `m<number>` */
  static async create(world: World, number: number): Promise<Member> {
    const token = await new SignJWT({ sub: `m${number}`, username: `m${number}`, roles: [] })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(SECRET));
    return new Member(world, number, token);
  }

  get connected(): boolean {
    return this.socket.connected && this.life !== undefined;
  }

  /** Tries nodes until one lets it in. */
  async connect(): Promise<void> {
    const { world, socket } = this;
    this.connecting = true;
    while (!this.leaving) {
      await pause(AGAIN_MS * (1 + world.random()));
      const urls = world.urls();
      const url = urls[Math.floor(world.random() * urls.length)];
      if (url === undefined) continue;
      if (world.stoodStill(this.url)) this.excusedUntil = Date.now();
      Object.assign(socket.io, { uri: url });
      this.url = url;
      if (!(await this.try())) continue;
      this.connecting = false;
      // It may be gone again already.
      if (!socket.connected && !this.leaving) void this.connect();
      return;
    }
  }

  /** Loses its transport; it comes back by itself. */
  lose(): void {
    this.socket.io.engine?.close();
  }

  /** @param atEnd it is still owed everything */
  end(atEnd: boolean): void {
    this.leaving = true;
    if (this.life) this.life.atEnd = atEnd && this.socket.connected;
    this.socket.disconnect();
  }

  private try(): Promise<boolean> {
    const { socket } = this;
    return new Promise((resolve) => {
      const done = (connected: boolean) => {
        clearTimeout(timer);
        socket.off('connect', onConnect).off('connect_error', onError);
        socket.io.off('error', onError).off('close', onError);
        if (!connected) socket.io._close();
        resolve(connected);
      };
      const onError = () => done(false);
      // In the same turn as what it missed: that belongs to the life that goes on.
      const onConnect = () => {
        if (this.life) this.world.cameBack(socket.recovered);
        if (!socket.recovered) {
          this.life = { member: this.number, received: [], atEnd: false };
          this.world.began(this.life);
        }
        done(true);
      };
      const timer = setTimeout(onError, this.world.connectMs);
      socket.once('connect', onConnect).once('connect_error', onError);
      socket.io.once('error', onError).once('close', onError);
      socket.connect();
    });
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
