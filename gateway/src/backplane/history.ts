import type { BroadcastOptions } from 'socket.io-adapter';
import { isAddressed } from './local-adapters.js';

/** Most events that are kept of a namespace, and most bytes (by a rough count). */
const MAX_EVENTS = 100_000;
const MAX_BYTES = 64 * 1024 * 1024;

interface Entry {
  /** Name, arguments, offset. */
  readonly data: unknown[];
  readonly options: Required<BroadcastOptions>;
  readonly at: number;
  readonly bytes: number;
}

/** The last events of one namespace by position, for sessions that come back. */
export class History {
  private entries: Entry[] = [];
  /** Index of the oldest entry that is still kept. */
  private head = 0;
  /** Position of the entry at index 0. */
  private first = 1;
  private bytes = 0;

  /**
   * @param epoch names this run, so that an offset of another one is unknown here
   * @param keepMs how long an event is kept
   */
  constructor(
    private readonly epoch: string,
    private readonly keepMs: number,
  ) {}

  /** Position of the last event; what comes later is behind it. */
  offset(): string {
    return this.offsetOf(this.first + this.entries.length - 1);
  }

  /** Keeps an event and gives it its offset, as the last element of `data`. */
  append(data: unknown[], options: Required<BroadcastOptions>): string {
    const offset = this.offsetOf(this.first + this.entries.length);
    data.push(offset);
    const bytes = roughSize(data);
    this.entries.push({ data, options, at: Date.now(), bytes });
    this.bytes += bytes;
    this.forget();
    return offset;
  }

  /** What sessions in these rooms missed since; undefined when that is not known any more. */
  since(offset: string, keys: readonly string[]): unknown[][] | undefined {
    this.forget();
    const [epoch, position] = [
      offset.slice(0, this.epoch.length + 1),
      Number(offset.slice(this.epoch.length + 1)),
    ];
    const index = position - this.first + 1;
    if (epoch !== `${this.epoch}-` || !Number.isSafeInteger(index)) return undefined;
    if (index < this.head || index > this.entries.length) return undefined;
    return this.entries
      .slice(index)
      .filter(({ options }) => isAddressed(keys, options))
      .map(({ data }) => data);
  }

  private offsetOf(position: number): string {
    return `${this.epoch}-${position}`;
  }

  private forget(): void {
    const oldest = Date.now() - this.keepMs;
    let entry = this.entries[this.head];
    while (
      entry &&
      (entry.at < oldest || this.entries.length - this.head > MAX_EVENTS || this.bytes > MAX_BYTES)
    ) {
      this.bytes -= entry.bytes;
      entry = this.entries[++this.head];
    }
    // Moving the rest costs as much as what is dropped: rarely, and in proportion.
    if (this.head > 1000 && this.head * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.head);
      this.first += this.head;
      this.head = 0;
    }
  }
}

/** Bytes that a value holds, roughly: enough to bound memory. */
function roughSize(value: unknown): number {
  if (typeof value === 'string') return 16 + value.length * 2;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return 64 + value.byteLength;
  if (typeof value !== 'object' || value === null) return 8;
  let bytes = 32;
  for (const [key, item] of Object.entries(value)) bytes += 8 + key.length + roughSize(item);
  return bytes;
}
