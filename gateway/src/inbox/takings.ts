import { toGatewayError } from '@streamgate/protocol/errors';
import { log } from '../ops/log.js';
import type { InboxStore, Taken } from './store.js';

/** What waits for a store that is away at most; beyond it events may be sent again. */
const WAITING_MAX = 100_000;

/** Takes out of inboxes what was received, many at once. */
export class Takings {
  private waiting: Taken[] = [];
  private timer: NodeJS.Timeout | undefined;
  private taking = Promise.resolve();

  /** @param lingerMs how long it may stay */
  constructor(
    private readonly store: Pick<InboxStore, 'take' | 'onReturn'>,
    private readonly lingerMs: number,
  ) {
    store.onReturn(() => this.flush());
  }

  add(taken: Taken): void {
    if (this.waiting.length < WAITING_MAX) this.waiting.push(taken);
    this.timer ??= setTimeout(() => this.flush(), this.lingerMs).unref();
  }

  /** Takes out now what waits. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { waiting } = this;
    if (waiting.length === 0) return;
    this.waiting = [];
    this.taking = this.take(waiting);
  }

  /** Resolves when what waits is taken out, or cannot be. */
  async close(): Promise<void> {
    this.flush();
    await this.taking;
    clearTimeout(this.timer);
  }

  private async take(waiting: readonly Taken[]): Promise<void> {
    try {
      await this.store.take(waiting);
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'what was received stays in inboxes');
      // Tried again when the store is back.
      this.waiting = [...waiting, ...this.waiting].slice(0, WAITING_MAX);
    }
  }
}
