import type { Redis } from 'ioredis';
import { ForeignMailbox, PAGE } from './foreign-mailbox.js';
import type { Past } from './history.js';
import type { MailboxNode } from './node.js';
import type { EntryId } from './position.js';
import { type Part, type Posed, Questions } from './questions.js';
import type { RawEntry } from './reader.js';
import type { Relocation } from './relocations.js';
import type { Shard } from './shard.js';

/** A mailbox of another node is forgotten when nobody has asked for so long. */
const IDLE_MS = 10_000;
/** Behind every entry. */
const END: EntryId = `${Number.MAX_SAFE_INTEGER}-0`;

/** What stands in other nodes' mailboxes of one shard: they are asked, or their mailboxes are read. */
export class Others {
  readonly questions: Questions;
  private readonly mailboxes = new Map<string, ForeignMailbox>();

  constructor(
    private readonly node: MailboxNode,
    private readonly shard: Shard,
  ) {
    this.questions = new Questions(node, shard);
  }

  /**
   * Events of another node's mailbox.
   * @param posed it was asked already, maybe for something else
   * @returns undefined when they are too many, or gone
   * @throws RedisAway
   */
  async events(
    other: string,
    part: Part,
    lives: boolean,
    posed?: Posed,
  ): Promise<Past[] | undefined> {
    const { namespace, rooms, after, upTo } = part;
    if (lives && !this.mailboxes.get(other)?.covers(after.id, upTo)) {
      const isPosed = posed && posed.node === other && isSame(posed.part, part);
      const answer = await (isPosed ? posed.answer : this.questions.ask(other, part));
      if (answer) return answer;
    }
    const mailbox = this.mailboxFor(other);
    if (!(await mailbox.load(after.id, upTo))) return undefined;
    return mailbox.history.between(namespace, rooms, after, upTo);
  }

  /**
   * A question to a node about what stands in its mailbox before it.
   * @param part its end is of no account
   * @returns undefined: its mailbox was read, or it is asked enough already
   */
  pose(other: string, part: Omit<Part, 'upTo'>): Posed | undefined {
    return this.mailboxes.has(other)
      ? undefined
      : this.questions.pose(other, { ...part, upTo: END });
  }

  /**
   * What of another node's mailbox makes sessions join, leave or end.
   * @returns undefined when it is too much, or gone
   * @throws RedisAway
   */
  async relocations(
    other: string,
    after: EntryId,
    upTo: EntryId,
  ): Promise<readonly Relocation[] | undefined> {
    const mailbox = this.mailboxFor(other);
    if (!(await mailbox.load(after, upTo))) return undefined;
    return mailbox.history.relocations.between(after, upTo);
  }

  /** Forgets what mailboxes were read for. */
  expire(): void {
    const oldest = Date.now() - IDLE_MS;
    for (const [other, mailbox] of this.mailboxes)
      if (mailbox.usedAt < oldest) this.mailboxes.delete(other);
  }

  private mailboxFor(other: string): ForeignMailbox {
    let mailbox = this.mailboxes.get(other);
    if (!mailbox) {
      const read = (from: EntryId, to: EntryId) => this.page(other, from, to);
      const trimmed = () => this.shard.trimmed(other);
      mailbox = new ForeignMailbox(read, trimmed, this.node.settings.mailboxBytes);
      this.mailboxes.set(other, mailbox);
    }
    mailbox.usedAt = Date.now();
    return mailbox;
  }

  private page(other: string, from: EntryId, to: EntryId): Promise<RawEntry[]> {
    const args = [this.shard.mailboxOf(other), from, to, 'COUNT', PAGE];
    return this.shard.link.call(
      (redis: Redis) => redis.callBuffer('XRANGE', args) as Promise<RawEntry[]>,
    );
  }
}

/** Whether the same events are meant, if the one ends where the other does. */
function isSame(one: Part, other: Part): boolean {
  const textOf = ({ namespace, rooms, after }: Part) =>
    JSON.stringify([namespace, [...rooms], after.id, after.index]);
  return textOf(one) === textOf(other);
}
