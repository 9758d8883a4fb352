import { SignJWT } from 'jose';
import { addGroup, bounded, isAck, lost, refused, removeGroup, sessions } from './sessions.js';
import { type Listener, WireClient } from './wire-client.js';

/** What the load process can be asked to do. All times in milliseconds unless the name says else. */

export interface Open {
  url: string;
  users: string[];
  secret: string;
  /** `/` unless given. */
  namespace?: '/' | '/chat';
}

export interface Pace {
  /** Messages in all. */
  count: number;
  /** Messages that each sender has under way at once. */
  window: number;
}

export interface Latency {
  messages: number;
  p50Micros: number;
  p99Micros: number;
}

/** Connects under way at once while opening. */
const CONCURRENCY = 50;
const ignore: Listener = () => undefined;

const tokens = new Map<string, string>();

export const operations = {
  /** Signs the tokens beforehand, so that opening costs no signatures. */
  async sign({ users, secret }: Pick<Open, 'users' | 'secret'>): Promise<void> {
    const key = new TextEncoder().encode(secret);
    for (const user of users)
      tokens.set(
        user,
        await new SignJWT({ username: `name of ${user}`, roles: ['member', 'student'] })
          .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
          .setSubject(user)
          .setIssuedAt()
          .setExpirationTime('2h')
          .sign(key),
      );
  },

  /** One session for each user; resolves when all have their `connected` event. */
  async open({ url, users, secret, namespace = '/' }: Open): Promise<{ group: number }> {
    const missing = users.filter((user) => !tokens.has(user));
    await operations.sign({ users: missing, secret });
    const target = new URL(url);
    const clients: WireClient[] = [];
    await bounded((resolve, reject) => {
      let connected = 0;
      const openNext = () => {
        const user = users[clients.length];
        if (user === undefined) return;
        const greeted: Listener = (packet, client) => {
          if (packet[0] === 0x34) reject(refused(packet));
          if (!packet.includes('"connected"')) return;
          client.onPacket = ignore;
          if (++connected === users.length) resolve();
          else openNext();
        };
        const token = tokens.get(user)!;
        clients.push(new WireClient(target, { token }, greeted, lost, namespace));
      };
      for (let index = 0; index < CONCURRENCY; index++) openNext();
    });
    return { group: addGroup(clients) };
  },

  close({ group }: { group: number }): void {
    for (const client of sessions(group)) client.end();
    removeGroup(group);
  },

  /** Every session joins the room; resolves when all have their ack. */
  async join({ group, room }: { group: number; room: string }): Promise<void> {
    const clients = sessions(group);
    await bounded((resolve) => {
      let joined = 0;
      for (const client of clients) {
        client.onPacket = (packet) => {
          if (isAck(packet) && ++joined === clients.length) resolve();
        };
        client.send(`20["join-room",${JSON.stringify({ room })}]`);
      }
    });
    for (const client of clients) client.onPacket = ignore;
  },

  /** Emits an event from all sessions until `count` acks have come. `event` is its JSON. */
  async acks({ group, event, pace }: { group: number; event: string; pace: Pace }): Promise<void> {
    const clients = sessions(group);
    await bounded((resolve, reject) => {
      let sent = 0;
      let answered = 0;
      const next = (client: WireClient) => {
        if (sent < pace.count) client.send(`2${sent++}${event}`);
      };
      const onAck: Listener = (packet, client) => {
        if (!isAck(packet)) return;
        if (packet.includes('"error"')) reject(refused(packet));
        if (++answered === pace.count) resolve();
        else next(client);
      };
      for (const client of clients) {
        client.onPacket = onAck;
        for (let index = 0; index < pace.window; index++) next(client);
      }
    });
    for (const client of clients) client.onPacket = ignore;
  },

  /** The first session speaks in the room until each session has heard `count` messages. */
  async fanOut({ group, room, pace }: { group: number; room: string; pace: Pace }): Promise<void> {
    const clients = sessions(group);
    const speaker = clients[0]!;
    const message = `20["room-message",${JSON.stringify({ room, message: 'm'.repeat(100) })}]`;
    const expected = pace.count * clients.length;
    await bounded((resolve) => {
      let sent = 0;
      let heard = 0;
      const speak = () => {
        if (sent === pace.count) return;
        sent++;
        speaker.send(message);
      };
      const onMessage: Listener = (packet) => {
        if (packet.toString('latin1', 0, 15) !== '2["room-message') return;
        heard++;
        // The next one leaves when the window's oldest has reached everybody.
        if (heard % clients.length === 0) speak();
        if (heard === expected) resolve();
      };
      for (const client of clients) client.onPacket = onMessage;
      for (let index = 0; index < pace.window; index++) speak();
    });
    for (const client of clients) client.onPacket = ignore;
  },

  /**
   * Sender `i` writes privately to user `i` of the receiving group. With `perSecond` they leave at that
   * rate, whatever comes back (latency); else each sender keeps its window full (throughput).
   */
  async unicast({
    senders,
    receivers,
    users,
    pace,
    perSecond,
  }: {
    senders: number;
    receivers: number;
    users: string[];
    pace: Pace;
    perSecond?: number;
  }): Promise<Latency> {
    const from = sessions(senders);
    const to = sessions(receivers);
    const micros: number[] = [];
    let timer: NodeJS.Timeout | undefined;
    await bounded((resolve, reject) => {
      let sent = 0;
      const send = (index: number) => {
        if (sent === pace.count) return;
        sent++;
        const message = `${'m'.repeat(80)} @${now()}@`;
        from[index]!.send(`20["send-message",${JSON.stringify({ to: users[index], message })}]`);
      };
      to.forEach((client, index) => {
        client.onPacket = (packet) => {
          const text = packet.toString('latin1');
          if (!text.startsWith('2["private-message')) return;
          micros.push(now() - Number(text.split('@')[1]));
          if (micros.length === pace.count) resolve();
          else if (perSecond === undefined) send(index);
        };
      });
      for (const client of from)
        client.onPacket = (packet) => {
          if (isAck(packet) && packet.includes('"error"')) reject(refused(packet));
        };
      if (perSecond === undefined) {
        for (let round = 0; round < pace.window; round++) from.forEach((_, index) => send(index));
        return;
      }
      const started = performance.now();
      timer = setInterval(() => {
        const due = ((performance.now() - started) / 1000) * perSecond;
        while (sent < Math.min(due, pace.count)) send(sent % from.length);
      }, 1);
    }).finally(() => clearInterval(timer));
    for (const client of [...from, ...to]) client.onPacket = ignore;
    return latency(micros);
  },

  /** From now on events of these sessions are counted, up to `count`; `heard` waits for them. */
  listen({ group, count }: { group: number; count: number }): void {
    const clients = sessions(group);
    const micros: number[] = [];
    let missing = count;
    const all = bounded((resolve) => {
      for (const client of clients)
        client.onPacket = (packet) => {
          if (packet.toString('latin1', 0, 8) !== '2["bench') return;
          const at = packet.indexOf('@');
          if (at !== -1)
            micros.push(wallNow() - Number(packet.toString('latin1', at + 1, at + 17)));
          if (--missing === 0) resolve();
        };
    });
    hearing.set(
      group,
      all.then(() => latency(micros)),
    );
  },

  /** @returns the times of those that carry when they were written, as `@<µs since the epoch>@` */
  async heard({ group }: { group: number }): Promise<Latency> {
    return hearing.get(group)!;
  },
};

const hearing = new Map<number, Promise<Latency>>();

function latency(micros: number[]): Latency {
  micros.sort((a, b) => a - b);
  return {
    messages: micros.length,
    p50Micros: micros[Math.floor(micros.length * 0.5)]!,
    p99Micros: micros[Math.floor(micros.length * 0.99)]!,
  };
}

const now = () => Math.round(performance.now() * 1000);
const wallNow = () => Math.round((performance.timeOrigin + performance.now()) * 1000);
