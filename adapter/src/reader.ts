import type { Redis } from 'ioredis';
import { backoff } from './link.js';
import type { EntryId } from './position.js';

/** How long Redis holds a read open, and how much longer an answer may take. */
const BLOCK_MS = 1000;
const PATIENCE_MS = 4000;
/** Entries of one read. */
const COUNT = 64;
/** Longest time spent on delivering before others get a turn. */
const TURN_MS = 10;

/** An entry has one field: by the version of the format, its messages. */
export type RawEntry = readonly [id: Buffer, fields: readonly [format: Buffer, batch: Buffer]];

export interface ReaderHooks {
  mailbox(): string;
  /** An entry was read; the next one comes when it has run to its end, or what it returns resolves. */
  entry(id: EntryId, fields: RawEntry[1]): Promise<void> | undefined;
  /** The entries of a turn have been handed over. */
  turnEnds(): void;
  failed(error: unknown): void;
}

/** Reads the node's mailbox, one entry after the other, on a connection of its own. */
export class Reader {
  /** All up to here was delivered; empty before the first connection. */
  position: EntryId = '';
  /** All up to here was read, and is delivered soon; empty as well. */
  come: EntryId = '';
  private generation = 0;
  private closed = false;
  private failures = 0;
  private waiting: (() => void)[] = [];
  private begin: () => void = () => undefined;

  constructor(
    private readonly redis: Redis,
    private readonly hooks: ReaderHooks,
  ) {
    void this.run();
  }

  /** Reading begins behind this entry, of the mailbox that is the node's now. */
  start(position: EntryId): void {
    const again = this.generation > 0;
    this.position = position;
    this.come = position;
    this.generation++;
    this.begin();
    // A read of the old mailbox may be held open.
    if (again) this.redis.disconnect(true);
  }

  /** What was read belongs to another mailbox than the node's from now on. */
  forget(): void {
    this.position = '';
    this.come = '';
    this.generation++;
  }

  /** Resolves when `reached` says so; it is asked whenever the position has moved. */
  until(reached: () => boolean): Promise<void> {
    if (reached()) return Promise.resolve();
    return new Promise((resolve) => {
      const look = () => {
        if (reached() || this.closed) resolve();
        else this.waiting.push(look);
      };
      this.waiting.push(look);
    });
  }

  close(): void {
    this.closed = true;
    this.begin();
    this.wake();
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      if (this.position === '')
        await new Promise<void>((resolve) => {
          this.begin = resolve;
        });
      const { generation } = this;
      const entries = await this.tryToRead();
      if (generation === this.generation && !this.closed) await this.deliver(entries);
    }
  }

  private async tryToRead(): Promise<readonly RawEntry[]> {
    if (this.position === '') return [];
    try {
      const entries = await this.read();
      this.failures = 0;
      return entries;
    } catch {
      // The link knows that Redis is away; the mailbox is read on from where it was.
      this.failures++;
      await new Promise((resolve) => setTimeout(resolve, backoff(this.failures)).unref());
      return [];
    }
  }

  private async deliver(entries: readonly RawEntry[]): Promise<void> {
    const { generation } = this;
    let began = performance.now();
    const last = entries.at(-1);
    if (last) this.come = last[0].toString('latin1');
    try {
      for (const [id, fields] of entries) {
        const text = id.toString('latin1');
        const held = this.hooks.entry(text, fields);
        if (held) {
          this.endTurn();
          await held;
          // In a turn of its own: who was given the past up to here joins in the turn that did it.
          await new Promise((resolve) => setImmediate(resolve));
          began = performance.now();
        }
        if (generation !== this.generation || this.closed) return;
        this.position = text;
        if (performance.now() - began < TURN_MS) continue;
        this.endTurn();
        await new Promise((resolve) => setImmediate(resolve));
        if (generation !== this.generation || this.closed) return;
        began = performance.now();
      }
    } finally {
      if (entries.length > 0) this.endTurn();
    }
  }

  private endTurn(): void {
    try {
      this.hooks.turnEnds();
    } catch (error) {
      this.hooks.failed(error);
    }
    this.wake();
  }

  /** Those who wait look again. */
  wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const look of waiting) look();
  }

  private async read(): Promise<readonly RawEntry[]> {
    let answered = false;
    // Once round the event loop more: a process that was stopped finds the answer only then.
    const silent = setTimeout(() => {
      setImmediate(() => {
        if (!answered) this.redis.disconnect(true);
      });
    }, BLOCK_MS + PATIENCE_MS);
    try {
      const args = [
        'COUNT',
        COUNT,
        'BLOCK',
        BLOCK_MS,
        'STREAMS',
        this.hooks.mailbox(),
        this.position,
      ];
      return entriesOf(await this.redis.callBuffer('XREAD', args));
    } finally {
      answered = true;
      clearTimeout(silent);
    }
  }
}

/** By mailbox: pairs in version 2 of Redis' protocol, in version 3 a map, which may come flat. */
function entriesOf(reply: unknown): readonly RawEntry[] {
  if (reply === null) return [];
  if (!Array.isArray(reply)) return Object.values(reply as Record<string, RawEntry[]>)[0] ?? [];
  const [first, second] = reply as [unknown, RawEntry[]];
  return Array.isArray(first) ? (first as [Buffer, RawEntry[]])[1] : second;
}
