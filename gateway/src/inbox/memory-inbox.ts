import type { Config } from '../config.js';
import { metrics } from '../ops/metrics.js';
import type { InboxLimits } from './inbox-scripts.js';
import {
  BEGINNING,
  type InboxStore,
  type Look,
  NEWEST,
  type Page,
  type StoredEvent,
  type Taken,
} from './store.js';

/** Of one inbox at a time. */
const PAGE_EVENTS = 100;
const PAGE_BYTES = 64 * 1024;
/** Of all inboxes together: then the one that was opened first gives way. */
const TOTAL_BYTES = 64 * 1024 * 1024;

interface Item extends StoredEvent {
  readonly place: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly expiresAt: number;
  readonly bytes: number;
}

/** By tag, in the order in which they came. */
interface Inbox {
  readonly items: Map<string, Item>;
  bytes: number;
}

/** What is to be kept for users. */
export interface Kept extends StoredEvent {
  readonly namespace: string;
  readonly users: readonly string[];
  /** Milliseconds since the epoch after which it is no longer worth delivering. */
  readonly expiresAt?: number;
}

/** Inboxes of a single node: they end with the process. */
export class MemoryInbox implements InboxStore {
  private readonly inboxes = new Map<string, Inbox>();
  private readonly pageBytes: number;
  private place = 0;
  private bytes = 0;

  constructor(
    private readonly limits: InboxLimits & Pick<Config, 'maxBufferedBytes'>,
    private readonly totalBytes = TOTAL_BYTES,
  ) {
    // A page that waits to be sent must not make its session a slow consumer.
    this.pageBytes = Math.min(PAGE_BYTES, limits.maxBufferedBytes / 2);
  }

  /** @returns in how many inboxes it lies */
  append({ namespace, users, tag, payload, expiresAt = Infinity }: Kept): number {
    const bytes = Buffer.byteLength(payload);
    for (const user of users) {
      const name = nameOf(namespace, user);
      const inbox = this.inboxes.get(name) ?? { items: new Map(), bytes: 0 };
      this.inboxes.set(name, inbox);
      if (inbox.items.has(tag)) continue;
      const place = ++this.place;
      inbox.items.set(tag, { tag, payload, place, at: Date.now(), expiresAt, bytes });
      inbox.bytes += bytes;
      this.bytes += bytes;
      this.limit(inbox);
    }
    this.limitTotal();
    return users.length;
  }

  async look(looks: readonly Look[]): Promise<(Page | undefined)[]> {
    return looks.map(({ namespace, userId, after }) => {
      const inbox = this.inboxes.get(nameOf(namespace, userId));
      return inbox && this.read(inbox, after);
    });
  }

  async take(taken: readonly Taken[]): Promise<void> {
    for (const { namespace, userId, what } of taken) {
      const name = nameOf(namespace, userId);
      const inbox = this.inboxes.get(name);
      if (!inbox) continue;
      const before = inbox.items.size;
      if ('tags' in what) for (const tag of what.tags) this.drop(inbox, tag);
      else
        for (const { tag, place } of inbox.items.values())
          if (place <= Number(what.upTo)) this.drop(inbox, tag);
      metrics.inboxTaken.add('', before - inbox.items.size);
      if (inbox.items.size === 0) this.inboxes.delete(name);
    }
  }

  async size(): Promise<number> {
    let size = 0;
    for (const { items } of this.inboxes.values()) size += items.size;
    return size;
  }

  /** It is never away. */
  onReturn(): void {}

  private read(inbox: Inbox, after: string): Page {
    this.limit(inbox);
    const events: StoredEvent[] = [];
    let reached = after === NEWEST ? BEGINNING : after;
    let bytes = 0;
    for (const item of inbox.items.values()) {
      if (item.place <= Number(reached)) continue;
      if (item.expiresAt <= Date.now()) {
        this.drop(inbox, item.tag);
        metrics.inboxExpired.add();
      } else if (after !== NEWEST) {
        if (events.length === PAGE_EVENTS || (bytes > 0 && bytes + item.bytes > this.pageBytes))
          return { events, reached, more: true };
        events.push(item);
        bytes += item.bytes;
      }
      reached = String(item.place);
    }
    return { events, reached, more: false };
  }

  /** The oldest go out until all limits are kept; the newest stays. */
  private limit(inbox: Inbox): void {
    const { inboxMaxEvents, inboxMaxBytes, inboxSeconds } = this.limits;
    const oldest = Date.now() - inboxSeconds * 1000;
    for (const { tag, at } of inbox.items.values()) {
      const { size } = inbox.items;
      const fits = size <= inboxMaxEvents && inbox.bytes <= inboxMaxBytes;
      if (at >= oldest && (fits || size === 1)) return;
      this.drop(inbox, tag);
      metrics.inboxDropped.add();
    }
  }

  private limitTotal(): void {
    for (const [name, inbox] of this.inboxes) {
      for (const tag of inbox.items.keys()) {
        if (this.bytes <= this.totalBytes) return;
        this.drop(inbox, tag);
        metrics.inboxDropped.add();
      }
      this.inboxes.delete(name);
    }
  }

  private drop(inbox: Inbox, tag: string): void {
    const bytes = inbox.items.get(tag)?.bytes ?? 0;
    inbox.bytes -= bytes;
    this.bytes -= bytes;
    inbox.items.delete(tag);
  }
}

function nameOf(namespace: string, userId: string): string {
  return `${namespace}:${userId}`;
}
