import { toGatewayError } from '@streamgate/protocol/errors';
import { log } from '../ops/log.js';
import type { InboxStore, Taken } from './store.js';

/** What waits for a store that is away at most; beyond it events may be sent again. */
const WAITING_MAX = 100_000;
/** Of the time that they stay: how much later they may be taken out, many at once. */
const TOLERANCE = 0.1;

interface Waiting {
  readonly taken: Taken;
  /** By `performance.now()`. */
  readonly due: number;
}

/** Takes out of inboxes what was received, many at once. */
export class Takings {
  /** By namespace and user; of each the first due first. */
  private readonly waiting = new Map<string, Waiting[]>();
  private count = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly taking = new Set<Promise<void>>();

  /** @param lingerMs how long each stays */
  constructor(
    private readonly store: Pick<InboxStore, 'take' | 'onReturn'>,
    private readonly lingerMs: number,
  ) {
    store.onReturn(() => this.takeDue());
  }

  add(taken: Taken): void {
    this.keep([{ taken, due: performance.now() + this.lingerMs }]);
    this.arm(this.lingerMs);
  }

  /** Whether something waits of one user. */
  waitsFor(namespace: string, userId: string): boolean {
    return this.waiting.has(nameOf(namespace, userId));
  }

  /** Takes out now what waits of one user. */
  flush(namespace: string, userId: string): void {
    this.takeOut(this.part(nameOf(namespace, userId), Infinity));
  }

  /** Resolves when what waits is taken out, or cannot be. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    this.takeOut([...this.waiting.keys()].flatMap((name) => this.part(name, Infinity)));
    await Promise.all(this.taking);
  }

  private keep(waiting: readonly Waiting[]): void {
    for (const each of waiting) {
      if (this.count >= WAITING_MAX) return;
      this.count += 1;
      const name = nameOf(each.taken.namespace, each.taken.userId);
      const present = this.waiting.get(name);
      if (present) present.push(each);
      else this.waiting.set(name, [each]);
    }
  }

  private arm(ms: number): void {
    this.timer ??= setTimeout(() => this.takeDue(), ms * (1 + TOLERANCE)).unref();
  }

  private takeDue(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const now = performance.now();
    this.takeOut([...this.waiting.keys()].flatMap((name) => this.part(name, now)));
    let next = Infinity;
    for (const [first] of this.waiting.values()) next = Math.min(next, first!.due);
    if (next < Infinity) this.arm(Math.max(next - now, this.lingerMs * TOLERANCE));
  }

  /** Lets go of what is due of one user until then. */
  private part(name: string, until: number): Waiting[] {
    const present = this.waiting.get(name) ?? [];
    const left = present.findIndex(({ due }) => due > until);
    const part = left < 0 ? present : present.splice(0, left);
    if (left < 0) this.waiting.delete(name);
    this.count -= part.length;
    return part;
  }

  private takeOut(waiting: readonly Waiting[]): void {
    if (waiting.length === 0) return;
    const taking = this.take(waiting).finally(() => this.taking.delete(taking));
    this.taking.add(taking);
  }

  private async take(waiting: readonly Waiting[]): Promise<void> {
    try {
      await this.store.take(waiting.map(({ taken }) => taken));
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'what was received stays in inboxes');
      // Tried again when the store is back, or with what comes next.
      this.keep(waiting.map(({ taken }) => ({ taken, due: 0 })));
    }
  }
}

function nameOf(namespace: string, userId: string): string {
  return `${namespace}:${userId}`;
}
