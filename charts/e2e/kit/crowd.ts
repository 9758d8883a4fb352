import { eventually } from '../../../gateway/test/client.ts';
import { judge, type Life, type Verdict } from '../../../gateway/test/guarantees/judge.ts';
import { Member, type World } from '../../../gateway/test/guarantees/member.ts';
import { Writer } from '../../../gateway/test/guarantees/writer.ts';
import type { Gateway } from './gateway.ts';
import { Forward } from './programs.ts';

const LOOK_MS = 50;
/** For the last events to arrive and for all to connect, in ms. */
const PATIENCE_MS = 60_000;

/** What a crowd has gone through. */
export interface Story extends Verdict {
  /** Entries that were written to the stream. */
  entries: number;
  /** How often a session came back. */
  returns: number;
  /** Of these, how often it was told that nothing could be continued. */
  toldFalse: number;
  /** The longest time that a member was without a connection, in ms. */
  longestAwayMs: number;
  /** The verdict on each member that the writer knew. */
  members: (Verdict & { member: number })[];
}

/** The gaps of all clients, for people; those who have one by name. */
export function gaps({ deliveries, lost, doubled, outOfOrder, members }: Story): string {
  const bad = members.filter((each) => each.lost + each.doubled + each.outOfOrder > 0);
  const list = bad.map(
    (each) => `m${each.member}: ${each.lost}/${each.doubled}/${each.outOfOrder}`,
  );
  if (list.length > 10) list.splice(10, list.length, `and ${list.length - 10} more`);
  const who = list.length === 0 ? `each of ${members.length} clients 0/0/0` : list.join(', ');
  return `${deliveries} deliveries: ${lost} lost, ${doubled} doubled, ${outOfOrder} out of order (${who})`;
}

/**
 * Stock clients that come back through the ingress whenever they lose their connection, and a service
 * that writes numbered commands to each of them into the stream, at a steady rate.
 */
export class Crowd implements World {
  returns = 0;
  toldFalse = 0;
  longestAwayMs = 0;
  private readonly gateway: Gateway;
  private readonly members: Member[] = [];
  private readonly lives: Life[] = [];
  private readonly awaySince = new Map<Member, number>();
  private readonly watch: NodeJS.Timeout;
  private readonly forward: Forward;
  private readonly writer: Writer;
  private writing: Promise<void> | undefined;
  private isWriting = false;

  private constructor(gateway: Gateway, forward: Forward) {
    this.gateway = gateway;
    this.forward = forward;
    this.writer = new Writer(`redis://${forward.address}`, 'streamgate:emit');
    this.watch = setInterval(() => this.look(), LOOK_MS);
  }

  /** Connects so many. */
  static async gather(gateway: Gateway, count: number): Promise<Crowd> {
    const crowd = new Crowd(gateway, await Forward.open(gateway.namespace, 'service/redis', 6379));
    await crowd.grow(count);
    return crowd;
  }

  /** As the stock client has it. */
  readonly connectMs = 20_000;
  urls = (): string[] => [this.gateway.url];
  stoodStill = (): boolean => false;
  random = (): number => Math.random();
  began = (life: Life): void => void this.lives.push(life);
  cameBack(recovered: boolean): void {
    this.returns++;
    if (!recovered) this.toldFalse++;
  }

  get connected(): number {
    return this.members.filter(({ connected }) => connected).length;
  }

  /** So many more, of whom the writer knows nothing if it writes already. */
  async grow(count: number): Promise<void> {
    const first = this.members.length;
    const joining = Array.from({ length: count }, (_, i) => Member.create(this, first + i));
    const members = await Promise.all(joining);
    await Promise.all(members.map((member) => member.connect()));
    this.members.push(...members);
  }

  /** Begins to write, to all in turn. @param perSecond entries, all members together */
  write(perSecond: number): void {
    this.isWriting = true;
    this.writing = this.writer.write(
      Infinity,
      this.members.length,
      perSecond,
      () => 1,
      () => !this.isWriting,
    );
  }

  /** Those beyond the first so many leave, on purpose: what they are owed ends here. */
  shrink(to: number): void {
    for (const member of this.members.splice(to)) {
      this.awaySince.delete(member);
      member.end(false);
    }
  }

  /** All are connected. @throws Error with how many are, when it takes too long */
  async whole(): Promise<void> {
    await eventually(
      () => this.members.length - this.connected,
      (missing) => missing === 0,
      PATIENCE_MS,
    );
  }

  /** Stops writing, waits for what is still to come, lets all go and judges. */
  async end(): Promise<Story> {
    this.isWriting = false;
    await this.writing;
    await this.whole();
    // What does not come is counted by the judge.
    await eventually(
      () => this.owed(),
      (owed) => owed === 0,
      PATIENCE_MS,
    ).catch(() => undefined);
    const verdict = this.close(true);
    if (this.toldFalse > 0) await this.explain();
    const { returns, toldFalse, longestAwayMs, lives } = this;
    const { last, written: entries } = this.writer;
    const members = [...last.keys()].map((member) => {
      const own = lives.filter((life) => life.member === member);
      return { member, ...judge(own, last) };
    });
    return { ...verdict, entries, returns, toldFalse, longestAwayMs, members };
  }

  /** Lets all go. */
  close(atEnd = false): Verdict {
    clearInterval(this.watch);
    for (const member of this.members) member.end(atEnd);
    this.isWriting = false;
    this.writer.close();
    this.forward.close();
    return judge(this.lives, this.writer.last);
  }

  /** What the pods that are left say of those that could not continue: who looks for the cause needs it. */
  private async explain(): Promise<void> {
    const lives = Map.groupBy(this.lives, ({ member }) => member);
    const again = [...lives].filter(([, own]) => own.length > 1).map(([member]) => `"m${member}"`);
    const lines = (await this.gateway.log()).split('\n');
    for (const line of lines)
      if (again.some((user) => line.includes(user))) process.stdout.write(`    ${line}\n`);
  }

  /** Members of the present who have not got their last entry. */
  private owed(): number {
    const latest = new Map(
      this.lives.map(({ member, received }) => [member, received.at(-1)?.number ?? -1]),
    );
    return this.members.filter((_, number) => latest.get(number) !== this.writer.last.get(number))
      .length;
  }

  private look(): void {
    const now = performance.now();
    for (const member of this.members)
      if (member.connected) this.awaySince.delete(member);
      else {
        const since = this.awaySince.get(member) ?? now;
        this.awaySince.set(member, since);
        this.longestAwayMs = Math.max(this.longestAwayMs, now - since + LOOK_MS);
      }
  }
}
