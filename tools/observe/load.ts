import { once } from 'node:events';
import { io, type Socket } from 'socket.io-client';
import { Emitter } from '@streamgate/emitter';
import type { Config } from '../../gateway/dist/config.js';
import { signToken } from '../../gateway/dist/ingest/http/development-token.js';
import { Proxy } from '../../gateway/test/proxy.ts';

/** Settings of nodes with which this load reaches all that boards show. */
export const LOAD_ENV = {
  STREAMGATE_EVENTS_OUT: 'message,first_session,last_session',
  // So few that one can fill a node.
  STREAMGATE_MAX_SESSIONS: '60',
};

const PEOPLE = 45;
const CHATTERS = 6;
const ROOMS = ['general', 'course:123', 'course:456'];

/** Clients and services that use everything a little: a cluster as it is on a quiet day. */
export class Load {
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly sockets: Socket[] = [];
  private readonly emitter: Emitter;
  private count = 0;

  private readonly config: Config;
  private readonly proxy: Proxy;

  private constructor(config: Config, proxy: Proxy, redisUrl: string) {
    this.config = config;
    this.proxy = proxy;
    // While Redis is away its commands wait, which is not worth a warning here.
    this.emitter = new Emitter({ redis: redisUrl, source: 'load', onError: () => undefined });
  }

  /** @param config what nodes have, `jwtSecret` included; with `chat` people chat */
  static async start(config: Config, urls: string[], redisUrl: string): Promise<Load> {
    const load = new Load(config, await Proxy.start(urls), redisUrl);
    await load.connectAll(urls[0]!);
    load.serve(await signToken(config, 'quiz-service', ['service']));
    return load;
  }

  /** Somebody who reads nothing of what is sent. @param url of a node @returns what ends it */
  async slowClient(url: string): Promise<() => void> {
    const socket = await this.connect('slow', '', { reconnection: false }, url);
    const { ws } = socket.io.engine.transport as unknown as { ws: { _socket: NodeJS.ReadStream } };
    ws._socket.pause();
    const text = 'x'.repeat(64 * 1024);
    const send = setInterval(() => void this.emitter.toUser('slow').emit('large', { text }), 20);
    return () => {
      clearInterval(send);
      socket.disconnect();
    };
  }

  /** So many more people. @param url of a node @returns what ends them */
  async crowd(url: string, count: number): Promise<() => void> {
    const people = Array.from({ length: count }, (_, index) =>
      this.connect(`crowd-${index}`, '', { reconnection: false }, url),
    );
    const sockets = await Promise.all(people);
    return () => {
      for (const socket of sockets) socket.disconnect();
    };
  }

  /** Somebody who says far too much, and is ended for it. @param url of a node @returns what ends it */
  async flood(url: string): Promise<() => void> {
    const socket = await this.connect('flood', '', { reconnection: false }, url);
    const say = setInterval(() => {
      for (let event = 0; event < 100; event++) socket.emit('get-active-users');
    }, 20);
    return () => {
      clearInterval(say);
      socket.disconnect();
    };
  }

  /** Somebody who is not let in, again and again. @returns what ends it */
  strangers(token: () => Promise<string>): () => void {
    const come = setInterval(() => void this.stranger(token), 250);
    return () => clearInterval(come);
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    for (const socket of this.sockets) socket.disconnect();
    await Promise.all([this.emitter.close(), this.proxy.stop()]);
  }

  private async connectAll(direct: string): Promise<void> {
    const people = await Promise.all(
      Array.from({ length: PEOPLE }, (_, index) => this.connect(`person-${index}`)),
    );
    people.forEach((socket, index) =>
      index % 2 === 0 ? speak3(this, socket) : speak4(this, socket),
    );
    // Somebody whose network lets no WebSocket through; a balancer of TCP cannot keep one on its node.
    await this.connect('poller', '', { transports: ['polling'] }, direct);
    this.every(3000, () => people[this.count++ % 15]!.io.engine.close());
    this.every(5000, () => void people[20 + (this.count++ % 10)]!.disconnect().connect());
    this.visit();
    if (this.config.chat === 'on') await this.chat();
  }

  /** One who comes and goes, to whom what was missed is kept; and one whose token has expired. */
  private visit(): void {
    this.every(4000, async () => {
      const visitor = await this.connect('visitor', '', { reconnection: false });
      setTimeout(() => visitor.disconnect(), 1500);
    });
    this.every(1000, () => void this.emitter.toUser('visitor').durable().emit('order:paid', {}));
    this.every(5000, () => this.stranger(async () => 'no'));
  }

  private async stranger(token: () => Promise<string>): Promise<void> {
    const auth = { token: await token() };
    const stranger = io(this.proxy.url, { ...STOCK, auth, reconnection: false });
    stranger.on('connect_error', () => stranger.close());
  }

  private serve(token: string): void {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    this.every(50, () => {
      const person = `person-${this.count++ % PEOPLE}`;
      void this.emitter.toUser(person).emit('notification', { title: 'Hello' });
    });
    this.every(500, () => void this.emitter.to(ROOMS).emit('quiz:updated', { n: this.count++ }));
    this.every(250, () =>
      fetch(`${this.proxy.url}/api/gateway/send`, {
        method: 'POST',
        headers,
        body: JSON.stringify({
          userId: `person-${this.count++ % PEOPLE}`,
          event: 'notification',
          message: { title: 'By REST' },
        }),
      }).then((answer) => answer.arrayBuffer()),
    );
  }

  private async chat(): Promise<void> {
    const ids = Array.from({ length: CHATTERS }, (_, index) => String(index + 1));
    const token = await signToken(this.config, '1', []);
    const answer = await fetch(`${this.proxy.url}/v1/conversations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ kind: 'group', members: ids.slice(1) }),
    });
    const { id } = (await answer.json()) as { id: number };
    for (const each of ids) {
      const socket = await this.connect(each, '/chat');
      socket.on('connect', () => socket.emit('join-conversation', { conversationId: id }));
      socket.emit('join-conversation', { conversationId: id });
      this.every(2000, () =>
        socket.emit('send-message', { conversation_id: id, content: `hello ${this.count++}` }),
      );
    }
  }

  /** A stock client through the balancer; it has heard `connected`. */
  private async connect(
    user: string,
    namespace = '',
    options: Parameters<typeof io>[1] = {},
    url = this.proxy.url,
  ): Promise<Socket> {
    const token = await signToken(this.config, user, ['student']);
    const socket = io(url + namespace, { ...STOCK, auth: { token }, ...options });
    this.sockets.push(socket);
    await once(socket as unknown as NodeJS.EventEmitter, 'connected');
    return socket;
  }

  /** What fails, since a node or Redis is away, is tried with the next turn. */
  every(ms: number, act: () => unknown): void {
    const turn = () => void Promise.resolve(act()).catch(() => undefined);
    this.timers.push(setInterval(turn, ms * (0.8 + Math.random() * 0.4)));
  }
}

const STOCK = {
  transports: ['websocket'],
  forceNew: true,
  reconnectionDelay: 100,
  reconnectionDelayMax: 1000,
};

/** As the clients of document 3 (user management). */
function speak3(load: Load, socket: Socket): void {
  const join = () => socket.emit('join-room', { room: 'general' });
  socket.on('connect', join);
  join();
  load.every(2000, () => socket.emit('room-message', { room: 'general', message: 'hi' }));
  load.every(9000, () => socket.emit('get-active-users'));
  load.every(30_000, () => socket.emit('send-message', { message: 'Hello everyone!' }));
  // Someone has misspelt it.
  load.every(20_000, () => socket.emit('room-message', { rom: 'general', message: 'hi' }));
}

/** As the clients of document 4 (e-learning). */
function speak4(load: Load, socket: Socket): void {
  const join = () => {
    socket.emit('join_room', { room: 'course:123', type: 'discussion' });
    socket.emit('join_room', { room: 'course:456', type: 'live_session' });
  };
  socket.on('connect', join);
  join();
  const discussion = { room: 'course:123', discussionId: 'discussion-456' };
  load.every(3000, () => socket.emit('typing_start', discussion));
  load.every(3500, () => socket.emit('typing_stop', discussion));
}
