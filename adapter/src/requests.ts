import { randomBytes } from 'node:crypto';
import type { ClusterResponse } from 'socket.io-adapter';

/** Milliseconds that an answer may take unless something else is asked for. */
const TIMEOUT_MS = 5000;

/** How answers are numbered by `MessageType` of socket.io-adapter. */
const ANSWER = { sockets: 8, serverSideEmit: 10, clientCount: 11, ack: 12 } as const;

interface Request {
  /** Nodes that have not answered; undefined until it is known who was asked. */
  missing: Set<string> | undefined;
  /** Nodes that answered before that was known. */
  readonly early: Set<string>;
  readonly answers: unknown[];
  done(error: Error | null, answers: unknown[]): void;
  readonly timer: NodeJS.Timeout;
}

interface AckRequest extends Request {
  readonly ack: (arg: unknown) => void;
}

/** Questions of this node to others, one adapter's. */
export class Requests {
  private readonly requests = new Map<string, Request | AckRequest>();
  private readonly prefix = randomBytes(6).toString('base64url');
  private count = 0;

  /** @param done all have answered, or the time is over: then what has come so far */
  askForAll(
    timeoutMs: number = TIMEOUT_MS,
    done: (error: Error | null, answers: unknown[]) => void,
  ): string {
    const id = this.nextId();
    const timer = setTimeout(() => {
      const request = this.requests.get(id)!;
      this.requests.delete(id);
      const open = request.missing ? `missing ${request.missing.size} responses` : 'not sent';
      done(new Error(`timeout reached: ${open}`), request.answers);
    }, timeoutMs);
    this.requests.set(id, { missing: undefined, early: new Set(), answers: [], done, timer });
    return id;
  }

  /** @param counted gets the number of clients on all nodes together, once */
  askForAcks(
    counted: (clients: number) => void,
    ack: (arg: unknown) => void,
    timeoutMs: number,
  ): string {
    const id = this.nextId();
    const done = (_error: Error | null, counts: unknown[]) =>
      counted((counts as number[]).reduce((sum, count) => sum + count, 0));
    // Acknowledgements come after the counts; whoever asked has a timer of its own.
    const timer = setTimeout(() => this.requests.delete(id), timeoutMs);
    const request = { missing: undefined, early: new Set<string>(), answers: [], done, timer, ack };
    this.requests.set(id, request);
    return id;
  }

  /** It is known who was asked. */
  expect(id: string, nodes: readonly string[]): void {
    const request = this.requests.get(id);
    if (!request) return;
    request.missing = new Set(nodes.filter((node) => !request.early.has(node)));
    this.settle(id, request);
  }

  drop(id: string): void {
    const request = this.requests.get(id);
    if (request) clearTimeout(request.timer);
    this.requests.delete(id);
  }

  answered(response: ClusterResponse): void {
    const { type, uid, data } = response as unknown as {
      type: number;
      uid: string;
      data: { requestId: string; packet?: unknown; sockets?: unknown; clientCount?: number };
    };
    const request = this.requests.get(data.requestId);
    if (!request) return;
    if (type === ANSWER.ack) {
      (request as AckRequest).ack(data.packet);
      return;
    }
    if (type === ANSWER.clientCount) request.answers.push(data.clientCount);
    else request.answers.push(type === ANSWER.sockets ? data.sockets : data.packet);
    request.early.add(uid);
    request.missing?.delete(uid);
    this.settle(data.requestId, request);
  }

  close(): void {
    for (const { timer } of this.requests.values()) clearTimeout(timer);
    this.requests.clear();
  }

  private settle(id: string, request: Request | AckRequest): void {
    if (request.missing?.size !== 0) return;
    if (!('ack' in request)) {
      clearTimeout(request.timer);
      this.requests.delete(id);
    }
    request.done(null, request.answers);
  }

  private nextId(): string {
    return `${this.prefix}.${++this.count}`;
  }
}
