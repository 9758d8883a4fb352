import type { Doubts } from './doubts.js';
import type { Arg, Link } from './link.js';
import { RedisAway } from './link.js';
import { OTHERS } from './message.js';
import { type EntryId, compareIds } from './position.js';
import { putPost } from './post-script.js';

/** What one call carries at most. */
const MAX_MESSAGES = 64;
const MAX_BYTES = 256 * 1024;
const MAX_CHANGES = 512;

/** `e` an event, `l` a leave, `q` a question whose receivers are told, `n` to nodes by name, …: see `POST`. */
export type How =
  | 'e'
  | 'l'
  | 'q'
  | 'n'
  | `${'j' | 'n'}${number}`
  | `${'e' | 'l' | 'q' | 'a'}${number} ${number}`;

/** A message on its way to Redis. */
export interface Letter {
  readonly how: How;
  /** Interest keys, or nodes. */
  readonly keys: readonly string[];
  readonly blob: Buffer;
  /** Of the message, counted by this node; what is read back is recognised by it. */
  readonly number: number;
  /** Redis has not answered yet, but it was read back. */
  isRead?: boolean;
  /**
   * Redis has it; of an event this node has delivered it too, if it is for its sessions.
   * @param nodes of `q` and `a`: who is asked, undefined when the answer was not heard
   */
  readonly sent?: ((nodes: readonly string[] | undefined) => void) | undefined;
  readonly refused?: ((fault: RedisAway) => void) | undefined;
}

/** Whether Redis says which nodes a message went to. */
function isAsked({ how }: Letter): boolean {
  return how.startsWith('q') || how.startsWith('a');
}

/** Arguments of operations on interest and records, made when they are sent. */
export type Change = () => readonly Arg[];

type Item = { letter: Letter } | { change: Change; settled: () => void };

/**
 * What this node writes, in the order in which it was asked to: all of one turn of the event loop goes
 * in as few calls as possible.
 */
export class Outbox {
  private queue: Item[] = [];
  private scheduled = false;
  /** Sent, and not answered yet. */
  private flights = new Map<number, Letter>();
  /** Events that Redis has, by the entry of this node's mailbox, which was not delivered yet. */
  private unread: { id: EntryId; letters: readonly Letter[] }[] = [];
  /** Of the call that was made last: whoever sent its letters has been told. */
  private last = Promise.resolve();
  private calls = 0;
  /** The changes sent last. */
  private applied = Promise.resolve();

  /**
   * @param notAfter by Redis' clock, for a call that is sent now; 0: that clock is not known
   * @param reached entry up to which this node has delivered its mailbox
   * @param missed a change did not reach Redis
   * @param failed whoever was told of a letter threw
   */
  constructor(
    private readonly link: Link,
    private readonly doubts: Doubts,
    private readonly nodeId: () => string,
    private readonly notAfter: () => number,
    private readonly reached: () => EntryId,
    private readonly missed: () => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  post(letter: Letter): void {
    this.put({ letter });
  }

  /** Resolves when Redis has it, or when it is known that it has not; never rejects. */
  change(change: Change): Promise<void> {
    return new Promise((settled) => {
      this.put({ change, settled });
    });
  }

  /** Takes back what this node wrote. @returns whether it is to be delivered */
  readBack(number: number): boolean {
    const letter = this.flights.get(number);
    if (letter) letter.isRead = true;
    return this.doubts.readBack(number);
  }

  /** This node has delivered more of its mailbox. */
  delivered(): void {
    const reached = this.reached();
    while (this.unread.length > 0 && compareIds(this.unread[0]!.id, reached) <= 0)
      for (const letter of this.unread.shift()!.letters) this.succeed(letter);
  }

  /**
   * Redis is away, and what it has of this node's events is not delivered here: whoever sent them is to
   * serve them, since what is served from now on must not come before them.
   */
  giveUp(reason: string): void {
    const { unread } = this;
    this.unread = [];
    const fault = new RedisAway('timeout', reason);
    // They were executed: nothing more is to be waited for.
    for (const { letters } of unread) for (const letter of letters) this.refuse(letter, fault, 0);
  }

  /** The node ends: what Redis has is delivered elsewhere. */
  end(): void {
    for (const { letters } of this.unread.splice(0))
      for (const letter of letters) this.succeed(letter);
  }

  /** Sends what waits, now. */
  flush(): void {
    this.scheduled = false;
    const { queue } = this;
    this.queue = [];
    let begin = 0;
    while (begin < queue.length)
      begin =
        'letter' in queue[begin]! ? this.sendLetters(queue, begin) : this.sendChanges(queue, begin);
  }

  private put(item: Item): void {
    this.queue.push(item);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      if (this.scheduled) this.flush();
    });
  }

  private sendLetters(queue: readonly Item[], begin: number): number {
    const letters: Letter[] = [];
    const args: Arg[] = [this.nodeId(), this.notAfter()];
    let bytes = 0;
    let index = begin;
    for (; index < queue.length && letters.length < MAX_MESSAGES && bytes < MAX_BYTES; index++) {
      const item = queue[index]!;
      if (!('letter' in item)) break;
      const { letter } = item;
      letters.push(letter);
      putPost(args, letter);
      bytes += letter.blob.length;
    }
    void this.deliver(letters, args);
    return index;
  }

  private async deliver(letters: readonly Letter[], args: readonly Arg[]): Promise<void> {
    const wasUp = this.link.up;
    const { before, settled } = this.inOrder();
    let answer: [here: EntryId, asked: string[][]] | undefined;
    let fault: RedisAway | undefined;
    if (wasUp) {
      for (const letter of letters) this.flights.set(letter.number, letter);
      try {
        answer = (await this.link.run('publish', args)) as [EntryId, string[][]];
      } catch (error) {
        fault = error as RedisAway;
      }
    } else fault = new RedisAway('unavailable', 'Redis is away');
    // What comes after its time is not executed, and a connection that ends says nothing.
    const until = wasUp && fault?.message !== 'LATE' ? Number(args[1]) : undefined;
    await before;
    this.settle(letters, answer, fault, until);
    settled();
    // The tables that a Map has grown out of refer to those that it grew into: were it used on and on,
    // each letter that outlives a collection would keep all that come later, until the next full one.
    if (++this.calls % 16 === 0 && this.flights.size < 1024) this.flights = new Map(this.flights);
  }

  /** What cannot even be sent any more is not refused before what was sent and is not answered yet. */
  private inOrder(): { before: Promise<void>; settled: () => void } {
    const before = this.last;
    let settled = () => {};
    this.last = new Promise((resolve) => {
      settled = resolve;
    });
    return { before, settled };
  }

  private settle(
    letters: readonly Letter[],
    answer: [here: EntryId, asked: string[][]] | undefined,
    fault: RedisAway | undefined,
    until: number | undefined,
  ): void {
    const id = answer?.[0] ?? '';
    const isUnread = id !== '' && compareIds(id, this.reached()) > 0;
    const unread: Letter[] = [];
    if (fault) this.giveUp(fault.message);
    let question = 0;
    for (const letter of letters) {
      const nodes = isAsked(letter) ? answer?.[1][question++] : undefined;
      this.flights.delete(letter.number);
      if (isUnread && letter.number < OTHERS) unread.push(letter);
      else if (!fault || letter.isRead) this.succeed(letter, nodes);
      else this.refuse(letter, fault, until);
    }
    if (unread.length > 0) this.unread.push({ id, letters: unread });
  }

  private succeed({ sent }: Letter, nodes?: readonly string[]): void {
    try {
      sent?.(nodes);
    } catch (error) {
      this.failed(error);
    }
  }

  /** @param until by Redis' clock it may still be executed; undefined: it is not */
  private refuse(letter: Letter, { outcome, message }: RedisAway, until: number | undefined): void {
    const { number } = letter;
    if (until !== undefined) this.doubts.add(number, until);
    const serve = (act: () => void) => {
      if (this.doubts.serve(number)) act();
    };
    try {
      letter.refused?.(new RedisAway(outcome, message, serve));
    } catch (error) {
      this.failed(error);
    }
  }

  private sendChanges(queue: readonly Item[], begin: number): number {
    const args: Arg[] = [this.nodeId()];
    const settled: (() => void)[] = [];
    let index = begin;
    for (; index < queue.length && args.length < MAX_CHANGES; index++) {
      const item = queue[index]!;
      if ('letter' in item) break;
      settled.push(item.settled);
      for (const arg of item.change()) args.push(arg);
    }
    void this.apply(args).finally(() => {
      for (const settle of settled) settle();
    });
    return index;
  }

  private async apply(args: readonly Arg[]): Promise<void> {
    // Nothing of its own: but what others have written for it must be there.
    if (args.length === 1) return this.applied;
    if (!this.link.takesChanges) return this.missed();
    this.applied = this.run(args);
    return this.applied;
  }

  private async run(args: readonly Arg[]): Promise<void> {
    try {
      await this.link.run('change', args);
    } catch {
      // RedisAway: what was not written is written when Redis is back.
      this.missed();
    }
  }
}
