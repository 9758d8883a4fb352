import { KIND, type Message } from './message.js';
import type { MailboxNode } from './node.js';
import type { Shard } from './shard.js';

/**
 * Tells when this node has delivered all that Redis had accepted at some time: it sends itself a
 * marker and waits until it has read it. Those who ask in one turn share one.
 */
export class Places {
  private asking: (() => void)[] = [];
  /** By id of the marker; those of one shard come in this order. */
  private readonly waiting = new Map<string, { shard: Shard; resolve: () => void }>();

  constructor(private readonly node: MailboxNode) {
    node.on('health', ({ up }) => {
      if (!up) this.letGo();
    });
    node.on('fenced', () => this.letGo());
  }

  /** Resolves also when that cannot be known, because Redis is away; never rejects. */
  caughtUp(): Promise<void> {
    return new Promise((resolve) => {
      if (this.asking.push(resolve) === 1) setImmediate(() => void this.mark());
    });
  }

  /** A marker was read back, and what stands before it has been delivered, or was trimmed away. */
  read(shard: Shard, { publisher, number }: Message): void {
    const read = `${publisher}.${number}`;
    if (!this.waiting.has(read)) return;
    for (const [id, { shard: other, resolve }] of this.waiting) {
      if (other !== shard) continue;
      this.waiting.delete(id);
      resolve();
      if (id === read) return;
    }
  }

  /** Nobody is kept waiting for what does not come. */
  letGo(): void {
    const asked = [...this.waiting.values()];
    this.waiting.clear();
    for (const { resolve } of asked) resolve();
  }

  private async mark(): Promise<void> {
    const { asking } = this;
    this.asking = [];
    await Promise.all(this.node.shards.all.map((shard) => this.markIn(shard)));
    for (const resolve of asking) resolve();
  }

  private markIn(shard: Shard): Promise<void> {
    return new Promise((resolve) => {
      const refused = () => {
        this.waiting.delete(id);
        resolve();
      };
      const marker = { kind: KIND.marker, namespace: '' };
      const id = this.node.tell(shard, this.node.nodeId, marker, refused);
      this.waiting.set(id, { shard, resolve });
    });
  }
}
