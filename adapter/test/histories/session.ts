import { Manager, type Socket } from 'socket.io-client';
import { type Life, key } from './judge.ts';
import type { NodeProcess } from './process.ts';

export interface World {
  /** Nodes that a connect may be sent to. */
  nodes(): NodeProcess[];
  phase(): number;
  /** The next writer will have this number. */
  nextWriter(): number;
  random(): number;
  began(life: Life): void;
  arrived(event: number, node: NodeProcess | undefined): void;
  cameBack(recovered: boolean): void;
}

const CONNECT_MS = 3000;
const AGAIN_MS = 20;

/** A stock client that comes back whenever its transport is gone, to a node of chance. */
export class Session {
  private readonly world: World;
  private readonly rooms: number[];
  private readonly socket: Socket;
  private life: Life | undefined;
  private connecting = false;
  private leaving = false;
  /** The node it is connected to. */
  node: NodeProcess | undefined;
  /** The node that it is connected to or tries to connect to. */
  private at: NodeProcess | undefined;

  constructor(world: World, rooms: number[]) {
    this.world = world;
    this.rooms = rooms;
    const manager = new Manager('http://0.0.0.0', {
      transports: ['websocket'],
      reconnection: false,
      autoConnect: false,
      forceNew: true,
    });
    this.socket = manager.socket('/', { auth: { rooms: rooms.map((room) => `room:${room}`) } });
    this.socket.on('e', (writer: number, room: number, number: number) => {
      if (!this.life) return;
      const event = key(writer, room, number);
      this.life.received.push(event);
      this.life.phases.push(world.phase());
      world.arrived(event, this.at);
    });
    this.socket.on('disconnect', (reason) => {
      this.tell(`off: ${reason}`);
      this.node = undefined;
      if (!this.leaving && !this.connecting) void this.connect();
    });
  }

  get connected(): boolean {
    return this.socket.connected && this.life !== undefined;
  }

  /** Tries nodes until one lets it in and it is in its rooms. */
  async connect(): Promise<void> {
    const { world, socket } = this;
    this.connecting = true;
    for (;;) {
      // Away for as long as it takes to notice and come back; a few stay away longer.
      await pause(world.random() < 0.05 ? 1000 * world.random() : 200 * world.random());
      if (this.leaving) return;
      const nodes = world.nodes();
      const node = nodes[Math.floor(world.random() * nodes.length)];
      if (!node) {
        await pause(AGAIN_MS);
        continue;
      }
      Object.assign(socket.io, { uri: node.url });
      this.at = node;
      const before = this.life;
      this.tell(`tries ${node.name}`);
      const isIn = await this.try();
      this.tell(isIn ? `in, recovered: ${socket.recovered}` : 'was not let in');
      if (!isIn) continue;
      this.node = node;
      if (before) world.cameBack(socket.recovered);
      this.connecting = false;
      // It may be gone again already.
      if (!socket.connected) void this.connect();
      return;
    }
  }

  /** Loses its transport; it comes back by itself. */
  lose(): void {
    this.socket.io.engine.close();
  }

  end(atEnd: boolean): void {
    this.leaving = true;
    if (this.life) this.life.atEnd = atEnd && this.socket.connected;
    this.socket.disconnect();
  }

  private tell(what: string): void {
    const { _lastOffset: offset } = this.socket as unknown as { _lastOffset?: string };
    const { story, received } = this.life ?? {};
    const last = received && `${received.length}: ${received.at(-1)}`;
    story?.push(`${(performance.now() / 1000).toFixed(3)} ${what} (${last}, ${offset})`);
  }

  /** What it receives after `welcome` belongs to a new life, after a recovery to the old one. */
  private try(): Promise<boolean> {
    const { socket, world } = this;
    return new Promise((resolve) => {
      const done = (connected: boolean) => {
        clearTimeout(timer);
        socket.off('connect', onConnect).off('connect_error', onError);
        socket.off('welcome', onWelcome);
        socket.io.off('error', onError).off('close', onError);
        if (!connected) {
          socket.io._close();
          // Neither the old life nor a new one that began: it is to be a stranger.
          if (!this.life) Object.assign(socket, { _pid: undefined, _lastOffset: undefined });
        }
        resolve(connected);
      };
      const onError = () => done(false);
      const onWelcome = () => {
        this.life = {
          rooms: new Set(this.rooms),
          received: [],
          phases: [],
          owedFrom: world.nextWriter(),
          story: [],
          atEnd: false,
        };
        world.began(this.life);
        done(true);
      };
      const onConnect = () => {
        if (socket.recovered) done(true);
        else this.life = undefined;
      };
      const timer = setTimeout(onError, CONNECT_MS);
      socket.once('connect', onConnect).once('connect_error', onError);
      socket.once('welcome', onWelcome);
      socket.io.once('error', onError).once('close', onError);
      socket.connect();
    });
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
