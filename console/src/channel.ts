import type { ErrorBody } from '@streamgate/protocol/errors';
import type { Manager, Socket } from 'socket.io-client';
import type { Json } from './client-event.js';
import { record } from './log.js';

/** What became of an event that was sent: the gateway's answer, or that none came. */
export type Answer =
  | { readonly data: unknown; readonly error?: undefined }
  | {
      readonly error: Partial<ErrorBody> & { readonly message: string };
      readonly data?: undefined;
    };

/** How long an event may go without an answer, in milliseconds. */
const ANSWER_MS = 10_000;

/** Takes the payload that the protocol gives the event. */
type Listener = (payload: never) => void;

const listeners = new Map<string, Set<Listener>>();

/** Calls `listener` with the payload of every event of the name, on every channel to come. */
export function listen(namespace: string, event: string, listener: Listener): void {
  const key = `${namespace} ${event}`;
  const known = listeners.get(key);
  if (known) known.add(listener);
  else listeners.set(key, new Set([listener]));
}

/** One namespace of a connection: what comes and goes is in the log. */
export class Channel {
  readonly socket: Socket;
  private readonly namespace: string;

  /** @param auth called at each connect, also at one that the client makes by itself */
  constructor(manager: Manager, namespace: string, auth: () => Promise<object | undefined>) {
    this.namespace = namespace;
    this.socket = manager.socket(namespace, {
      auth: (give) => void auth().then((found) => found && give(found)),
    });
    this.socket.onAny((event: string, ...args: unknown[]) => this.hear(event, args));
  }

  /** Sends an event. Never rejects: what went wrong is in the answer. */
  async send(event: string, payload?: Json): Promise<Answer> {
    const { namespace, socket } = this;
    const args = payload === undefined ? [] : [payload];
    if (!socket.active) return { error: { message: `Not connected to ${namespace}` } };
    // The log is copied and shown around; a token is for the gateway alone.
    record('out', namespace, event, event === 'refresh-token' ? { token: 'hidden' } : payload);
    const started = performance.now();
    const answer = await new Promise<Answer>((resolve) => {
      socket.timeout(ANSWER_MS).emit(event, ...args, (none: Error | null, given: Answer) => {
        resolve(none ? { error: { message: 'No answer: was the connection lost?' } } : given);
      });
    });
    const afterMs = performance.now() - started;
    record('answer', namespace, event, answer.error ?? answer.data, {
      failed: answer.error !== undefined,
      afterMs,
    });
    return answer;
  }

  private hear(event: string, args: unknown[]): void {
    const [payload] = args;
    // A durable event may want to be told that it has arrived.
    const last = args.at(-1);
    if (typeof last === 'function') (last as () => void)();
    record('in', this.namespace, event, typeof payload === 'function' ? undefined : payload);
    for (const listener of listeners.get(`${this.namespace} ${event}`) ?? [])
      listener(payload as never);
  }
}
