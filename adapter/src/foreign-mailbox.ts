import { History } from './history.js';
import { FORMAT } from './keys.js';
import { KIND, messagesOf } from './message.js';
import { type EntryId, compareIds } from './position.js';
import type { RawEntry } from './reader.js';
import { relocationIn } from './relocations.js';

/** Entries of a mailbox that are read at once. */
export const PAGE = 64;
/** A part of another node's mailbox, read once for all who were there. */
export class ForeignMailbox {
  history: History;
  usedAt = Date.now();
  private begin: EntryId | undefined;
  private end: EntryId | undefined;
  /** One read after the other; who comes meanwhile shares the next. */
  private last: Promise<unknown> = Promise.resolve();
  private wanted: { from: EntryId; to: EntryId; done: Promise<boolean> } | undefined;

  /**
   * @param page reads entries from the one to the other
   * @param trimmed up to where there are none any more; undefined: the mailbox is gone
   */
  constructor(
    private readonly page: (from: EntryId, to: EntryId) => Promise<RawEntry[]>,
    private readonly trimmed: () => Promise<EntryId | null | undefined>,
    private readonly maxBytes: number,
  ) {
    this.history = new History(maxBytes);
  }

  /** Resolves when the entries of this part are there; false when they are too many, or gone. */
  load(from: EntryId, to: EntryId): Promise<boolean> {
    if (this.covers(from, to)) return Promise.resolve(true);
    if (this.wanted) {
      const { wanted } = this;
      if (compareIds(from, wanted.from) < 0) wanted.from = from;
      if (compareIds(to, wanted.to) > 0) wanted.to = to;
      return wanted.done.then(() => this.covers(from, to));
    }
    const wanted = { from, to, done: Promise.resolve(false) };
    this.wanted = wanted;
    wanted.done = this.last.then(async () => {
      this.wanted = undefined;
      await this.read(wanted.from, wanted.to);
      return this.covers(from, to);
    });
    this.last = wanted.done.catch(() => undefined);
    return wanted.done;
  }

  covers(from: EntryId, to: EntryId): boolean {
    if (this.begin === undefined || this.end === undefined) return false;
    const { dropped } = this.history;
    return (
      compareIds(this.begin, from) <= 0 &&
      compareIds(to, this.end) <= 0 &&
      (dropped === undefined || compareIds(dropped, from) < 0)
    );
  }

  private async read(from: EntryId, to: EntryId): Promise<void> {
    if (this.covers(from, to)) return;
    try {
      if (await this.readPages(from, to)) return;
    } catch (error) {
      this.forget();
      throw error;
    }
    this.forget();
  }

  /** What was read in part must not be read on, nor be taken for all. */
  private forget(): void {
    this.history = new History(this.maxBytes);
    this.begin = undefined;
    this.end = undefined;
  }

  /** @returns false when the mailbox is gone, maybe since the first page */
  private async readPages(from: EntryId, to: EntryId): Promise<boolean> {
    let history = this.history;
    let next = `(${this.end}`;
    let begin = this.begin;
    let end = to;
    if (begin === undefined || this.end === undefined || compareIds(from, begin) < 0) {
      // It goes back further than before: all of it is read anew.
      history = new History(this.maxBytes);
      next = from;
      begin = from;
      if (this.end !== undefined && compareIds(this.end, to) > 0) end = this.end;
    } else if (compareIds(to, this.end) <= 0) return true;
    for (;;) {
      const entries = await this.page(next, end);
      for (const [id, fields] of entries) add(history, id.toString('latin1'), fields);
      if (entries.length < PAGE) break;
      next = `(${entries.at(-1)![0].toString('latin1')}`;
    }
    // What was trimmed away meanwhile was not read.
    const limit = await this.trimmed();
    if (limit === undefined) return false;
    if (limit !== null && compareIds(limit, begin) > 0) history.dropped = limit;
    this.history = history;
    this.begin = begin;
    this.end = end;
    return true;
  }
}

function add(history: History, id: EntryId, [format, batch]: RawEntry[1]): void {
  if (format.toString('latin1') !== FORMAT) throw new Error('an entry of another format');
  let index = 0;
  for (const message of messagesOf(batch)) {
    if (message.kind === KIND.event && message.takesOffset && !message.volatile)
      history.add({ id, index, message });
    else {
      const relocated = relocationIn(message);
      if (relocated)
        history.relocations.add({ id, index, namespace: message.namespace, ...relocated });
    }
    index++;
  }
}
