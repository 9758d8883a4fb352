import { KIND, type Message } from './message.js';
import type { MailboxNode } from './node.js';

/**
 * Tells when this node has delivered all that Redis had accepted at some time: it sends itself a
 * marker and waits until it has read it. Those who ask in one turn share one.
 */
export class Places {
  private asking: (() => void)[] = [];
  /** By id of the marker. */
  private readonly waiting = new Map<string, readonly (() => void)[]>();

  constructor(private readonly node: MailboxNode) {
    node.on('health', ({ up }) => {
      if (!up) this.letGo();
    });
    node.on('fenced', () => this.letGo());
  }

  /** Resolves also when that cannot be known, because Redis is away; never rejects. */
  caughtUp(): Promise<void> {
    return new Promise((resolve) => {
      if (this.asking.push(resolve) === 1) setImmediate(() => this.mark());
    });
  }

  /** A marker was read back, and what stands before it has been delivered. */
  read({ publisher, number }: Message): void {
    const id = `${publisher}.${number}`;
    for (const resolve of this.waiting.get(id) ?? []) resolve();
    this.waiting.delete(id);
  }

  /** Nobody is kept waiting for what does not come. */
  letGo(): void {
    const asked = [...this.waiting.values()].flat();
    this.waiting.clear();
    for (const resolve of asked) resolve();
  }

  private mark(): void {
    const { asking } = this;
    this.asking = [];
    const marker = { kind: KIND.marker, namespace: '' };
    const refused = () => {
      this.waiting.delete(id);
      for (const resolve of asking) resolve();
    };
    const id = this.node.post([this.node.nodeId], marker, undefined, refused, 'n');
    this.waiting.set(id, asking);
  }
}
