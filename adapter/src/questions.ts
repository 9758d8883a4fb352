import type { Membership, Past, Stay } from './history.js';
import { type Draft, KIND, type Message, decode, decodeValue, encodeValue } from './message.js';
import type { MailboxNode } from './node.js';
import { type EntryId, type Place, compareIds } from './position.js';
import type { Shard } from './shard.js';

/** Longest wait for an answer, in ms: then the mailbox is read instead. */
const PATIENCE_MS = 300;
/** Questions to one node at a time: for more sessions it is cheaper to read its mailbox once. */
const MOST = 16;

/** What of a mailbox is for a session. */
export interface Part {
  readonly namespace: string;
  readonly rooms: Membership;
  /** Behind this event, up to an entry. */
  readonly after: Place;
  readonly upTo: EntryId;
}

/** A question that is open. */
export interface Posed {
  readonly node: string;
  readonly part: Part;
  readonly draft: Draft;
  /** Undefined when it does not answer, or does not know any more. */
  readonly answer: Promise<Past[] | undefined>;
  /** Nobody waits for the answer. */
  readonly drop: () => void;
}

interface Question {
  readonly number: number;
  readonly asker: string;
  readonly namespace: string;
  readonly rooms: readonly (readonly [room: string, stays: readonly Stay[]])[];
  readonly after: Place;
  readonly upTo: EntryId;
}

interface Answer {
  readonly number: number;
  /** Where the events stand that come with it; absent: not known any more. */
  readonly places?: readonly (readonly [id: EntryId, index: number])[];
}

/** Asks the node that a session was on what it missed: it knows without a look at the rest. */
export class Questions {
  private count = 0;
  private readonly open = new Map<number, (events: Past[] | undefined) => void>();
  /** How many are open, by node. */
  private readonly load = new Map<string, number>();

  constructor(
    private readonly node: MailboxNode,
    private readonly shard: Shard,
  ) {}

  /** @returns undefined when it does not answer, or does not know any more */
  async ask(other: string, part: Part): Promise<Past[] | undefined> {
    const posed = this.pose(other, part);
    if (posed) this.node.tell(this.shard, other, posed.draft, posed.drop);
    return posed?.answer;
  }

  /** As `ask`; whoever calls it writes the question to the other's mailbox. @returns undefined: not now */
  pose(other: string, part: Part): Posed | undefined {
    const load = this.load.get(other) ?? 0;
    if (load >= MOST) return undefined;
    this.load.set(other, load + 1);
    const number = ++this.count;
    const drop = () => this.open.get(number)?.(undefined);
    const answer = new Promise<Past[] | undefined>((resolve) => {
      const timer = setTimeout(drop, PATIENCE_MS);
      this.open.set(number, (events) => {
        clearTimeout(timer);
        this.open.delete(number);
        const left = this.load.get(other)! - 1;
        if (left === 0) this.load.delete(other);
        else this.load.set(other, left);
        resolve(events);
      });
    });
    const { namespace, rooms, after, upTo } = part;
    const asker = this.node.nodeId;
    const question: Question = { number, asker, namespace, rooms: [...rooms], after, upTo };
    const draft = { kind: KIND.question, namespace, ...encodeValue(question) };
    return { node: other, part, draft, answer, drop };
  }

  /** Another node asks. */
  asked(message: Message): void {
    const { number, asker, namespace, rooms, after, upTo } = decodeValue(message) as Question;
    const { history } = this.shard;
    const { dropped } = history;
    let answer: Answer = { number };
    let events: Past[] = [];
    if (dropped === undefined || compareIds(after.id, dropped) >= 0) {
      events = history.between(namespace, new Map(rooms), after, upTo);
      answer = { number, places: events.map(({ id, index }) => [id, index]) };
    }
    const draft = {
      kind: KIND.answer,
      namespace,
      text: encodeValue(answer).text!,
      attachments: events.map((event) => event.message.blob),
    };
    this.node.tell(this.shard, asker, draft);
  }

  answered(message: Message): void {
    const { number, places } = decodeValue({ text: message.text, attachments: [] }) as Answer;
    const { attachments } = message;
    const events = places?.map(([id, index], at) => ({
      id,
      index,
      message: decode(attachments[at]!),
    }));
    this.open.get(number)?.(events);
  }
}
