import { createRequire } from 'node:module';
import { io as io4, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { tokenOf, type Person } from './tokens.js';

// The old versions are CommonJS without types that resolve; what the tests use is as in version 4.
const require = createRequire(import.meta.url);
const io2 = require('socket.io-client-2') as typeof io4;
const io3 = require('socket.io-client-3') as typeof io4;
const factories = { 2: io2, 3: io3, 4: io4 };

export type Version = keyof typeof factories;
export type ClientOptions = Partial<ManagerOptions & SocketOptions> & { version?: Version };

/** Longest wait for anything that must happen, in milliseconds. */
const PATIENCE = 10_000;

interface Received {
  readonly event: string;
  readonly args: unknown[];
}

/** The ack's answer. */
export interface Answer {
  // What an event answers differs by event: each test knows which it asked.
  // oxlint-disable-next-line typescript/no-explicit-any
  data?: any;
  error?: { message: string; code: string; retryable: boolean; retryAfterMs?: number };
}

/**
 * A stock client that remembers all that it receives, so that nothing is missed between two
 * awaits: `next` takes the oldest event of a name that was not taken yet, or waits for one.
 */
export class Client {
  readonly socket: Socket;
  private readonly received: Received[] = [];
  private readonly watchers = new Set<() => void>();

  constructor(url: string, { version = 4, ...options }: ClientOptions = {}) {
    this.socket = factories[version](url, { forceNew: true, ...options });
    this.record();
  }

  /** Takes the next event of the name. @throws Error when it does not come in time */
  // oxlint-disable-next-line typescript/no-explicit-any
  async next(event: string, patience = PATIENCE): Promise<any> {
    return (await this.nextArgs(event, patience))[0];
  }

  /** As `next`, all its arguments: on backplanes that recover, the offset is the last. */
  async nextArgs(event: string, patience = PATIENCE): Promise<unknown[]> {
    const deadline = Date.now() + patience;
    for (;;) {
      const index = this.received.findIndex((each) => each.event === event);
      const [found] = index < 0 ? [] : this.received.splice(index, 1);
      if (found) return found.args;
      await this.change(deadline, `no ${event}`);
    }
  }

  /** Whether an event of the name was received and not taken. */
  has(event: string): boolean {
    return this.received.some((each) => each.event === event);
  }

  /** Payloads of all events of the name that were received and not taken. */
  all(event: string): unknown[] {
    return this.received.filter((each) => each.event === event).map((each) => each.args[0]);
  }

  /** Forgets what was received and not taken. */
  forget(): void {
    this.received.length = 0;
  }

  /** Emits with an ack and waits for the answer. */
  ask(event: string, ...payload: unknown[]): Promise<Answer> {
    return within(
      new Promise((resolve) => this.socket.emit(event, ...payload, resolve)),
      `no answer to ${event}`,
    );
  }

  /** Waits for an event of the client's own life cycle. */
  life(event: 'connect' | 'connect_error' | 'disconnect'): Promise<unknown> {
    return within(new Promise((resolve) => this.socket.once(event, resolve)), `no ${event}`);
  }

  close(): void {
    this.socket.disconnect();
  }

  /** Every version's socket hands each event packet to `onevent`. */
  private record(): void {
    const socket = this.socket as unknown as { onevent(packet: { data: unknown[] }): void };
    const onevent = socket.onevent.bind(this.socket);
    socket.onevent = (packet) => {
      const [event, ...args] = packet.data;
      this.received.push({ event: event as string, args });
      for (const watcher of this.watchers) watcher();
      onevent(packet);
    };
  }

  private async change(deadline: number, failure: string): Promise<void> {
    let watcher = () => {};
    const changed = new Promise<void>((resolve) => (watcher = resolve));
    this.watchers.add(watcher);
    const names = () => this.received.map((each) => each.event).join(', ') || 'nothing';
    try {
      await within(changed, () => `${failure}; received and not taken: ${names()}`, deadline);
    } finally {
      this.watchers.delete(watcher);
    }
  }
}

/** Connects as the person and waits for `connected`, which it takes and returns. */
export async function connect(
  url: string,
  person: Person,
  options: ClientOptions = {},
  // oxlint-disable-next-line typescript/no-explicit-any
): Promise<{ client: Client; connected: any }> {
  const client = new Client(url, { auth: { token: await tokenOf(person) }, ...options });
  return { client, connected: await client.next('connected') };
}

/** Waits until the reading is as wanted: for states that nobody announces. Returns the reading. */
export async function eventually<T>(
  read: () => Promise<T> | T,
  wanted: (value: T) => boolean,
  patience = PATIENCE,
): Promise<T> {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await read();
    if (wanted(value)) return value;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function within<T>(
  promise: Promise<T>,
  failure: string | (() => string),
  deadline = Date.now() + PATIENCE,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(typeof failure === 'string' ? failure : failure())),
      Math.max(0, deadline - Date.now()),
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
