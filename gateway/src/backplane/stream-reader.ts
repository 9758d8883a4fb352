import type { Redis } from 'ioredis';
import { metrics } from '../ops/metrics.js';
import { LinkFault, within } from './redis-link.js';
import { backoff } from './redis-options.js';

/** How long Redis holds a read open, and how much longer an answer may take. */
const BLOCK_MS = 1000;
const PATIENCE_MS = 2000;

/** Position of an entry as numbers: ids do not compare as text. */
export function isBefore(id: string, other: string): boolean {
  const [ms = 0, seq = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherSeq = 0] = other.split('-').map(Number);
  return ms < otherMs || (ms === otherMs && seq < otherSeq);
}

/**
 * The connection that the stock adapter reads the stream with. Stock begins at `$`, evaluated anew
 * for each read until a first entry came (what is written in between is lost), and reads again at
 * once after an error: here it begins behind an anchor, and waits after an error.
 */
export class StreamReader {
  /** Read by the stock adapter: this client connects by itself. */
  readonly options = { lazyConnect: false };
  /** Up to here everything was delivered on this node; undefined before the first connection. */
  position: string | undefined;
  private waiting: { readonly id: string; readonly resolve: () => void }[] = [];
  private readonly anchored: Promise<void>;
  private begin: () => void = () => undefined;
  private asked = '';
  private failures = 0;
  private closed = false;

  constructor(readonly redis: Redis) {
    this.anchored = new Promise((resolve) => {
      this.begin = resolve;
    });
  }

  /**
   * Takes an entry that stands at the end of the stream: reading begins there, and goes on there
   * when the stream is another than the one read until now.
   */
  anchor(id: string): void {
    if (this.position === undefined || isBefore(id, this.position)) this.position = id;
    this.begin();
  }

  /** For the stock adapter: errors are the concern of who made the connection. */
  on(): this {
    return this;
  }

  /**
   * For the stock adapter, `XREAD BLOCK ms COUNT n STREAMS name offset`. By asking for what comes
   * behind `offset` it says that everything up to it was delivered.
   */
  async xread(...args: string[]): Promise<unknown> {
    const offset = args.at(-1)!;
    if (offset !== '$' && offset !== this.asked) this.position = offset;
    this.asked = offset;
    this.wake();
    // A promise that nothing holds and nothing settles: the stock loop ends with it.
    if (this.closed) return new Promise(() => undefined);
    await this.anchored;
    try {
      const entries = await this.read([...args.slice(2, -1), this.position!]);
      this.failures = 0;
      return entries;
    } catch (error) {
      this.failures++;
      if (!this.closed) metrics.adapterFaults.add();
      await new Promise((resolve) => setTimeout(resolve, backoff(this.failures)).unref());
      throw error;
    }
  }

  /** Resolves when everything up to this entry was delivered, or when that is not waited for any more. */
  until(id: string): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push({ id, resolve });
      this.wake();
    });
  }

  /** Nobody is kept waiting for what does not come. */
  letGo(): void {
    for (const { resolve } of this.waiting.splice(0)) resolve();
  }

  private wake(): void {
    const { position } = this;
    if (this.waiting.length === 0 || position === undefined) return;
    const reached = this.waiting.filter(({ id }) => !isBefore(position, id));
    this.waiting = this.waiting.filter(({ id }) => isBefore(position, id));
    for (const { resolve } of reached) resolve();
  }

  /** For the stock adapter, when its last namespace is closed: the node still uses Redis then. */
  disconnect(): void {}

  close(): void {
    this.closed = true;
    this.letGo();
    this.redis.disconnect();
  }

  private async read(args: string[]): Promise<unknown> {
    const answer = this.redis.xread('BLOCK', BLOCK_MS, ...(args as ['STREAMS', string]));
    try {
      return await within(BLOCK_MS + PATIENCE_MS, answer);
    } catch (error) {
      if (error instanceof LinkFault) this.redis.disconnect(true);
      throw error;
    }
  }
}
