import { Redis } from 'ioredis';
import { startNode, type NodeEnv, type TestNode } from '../node.ts';
import { startRedis, type TestRedis } from '../redis.ts';
import { type Life, type Verdict, judge } from './judge.ts';
import { Member, type World, pause } from './member.ts';
import type { Scenario } from './scenarios.ts';
import { Writer } from './writer.ts';

export interface Plan {
  backplane: string;
  entries: number;
  perSecond: number;
  seed: number;
}

export interface Row extends Verdict {
  scenario: string;
  entries: number;
  returns: number;
  toldFalse: number;
  /** Entries that the door put aside. */
  dead: number;
}

const MEMBERS = 50;
/** Of partition 0: the token of the node that executes it, which begins with that node's name. */
const LEASE = '{streamgate}:1:ingest:lease:0';
const STREAM = 'streamgate:emit';
const MOST_PARTITIONS = 4;

/** The nodes, the writer, the members and the faults of one scenario. */
export class Running implements World {
  redis!: TestRedis;
  /** How many partitions there are; a node that starts takes it as its setting. */
  partitions: number;
  readonly members: Member[] = [];
  private readonly plan: Plan;
  private readonly scenario: Scenario;
  private readonly nodes: TestNode[] = [];
  private readonly stopped = new Set<TestNode>();
  private readonly stood = new Set<string>();
  private readonly lives: Life[] = [];
  private admin!: Redis;
  private writer!: Writer;
  private returns = 0;
  private toldFalse = 0;
  private state: number;

  constructor(plan: Plan, scenario: Scenario) {
    this.plan = plan;
    this.scenario = scenario;
    this.partitions = scenario.partitions;
    this.state = plan.seed;
  }

  readonly connectMs = 3000;
  urls = (): string[] => this.living().map(({ url }) => url);
  stoodStill = (url: string): boolean => this.stood.has(url);
  began = (life: Life): void => void this.lives.push(life);
  cameBack(recovered: boolean): void {
    this.returns++;
    if (!recovered) this.toldFalse++;
  }

  /** From the seed (mulberry32). */
  random = (): number => {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };

  /** Share of the entries that are written, 0 to 1. */
  get progress(): number {
    return this.writer.written / this.plan.entries;
  }

  living(): TestNode[] {
    return this.nodes.filter((node) => node.running && !this.stopped.has(node));
  }

  async row(): Promise<Row> {
    this.redis = await startRedis();
    this.admin = new Redis(this.redis.url, { maxRetriesPerRequest: null });
    this.admin.on('error', () => undefined);
    this.writer = new Writer(this.redis.url, STREAM);
    try {
      await Promise.all(Array.from({ length: this.scenario.nodes }, () => this.startNode()));
      for (let number = 0; number < MEMBERS; number++)
        this.members.push(await Member.create(this, number));
      await Promise.all(this.members.map((member) => member.connect()));
      const { entries, perSecond } = this.plan;
      await Promise.all([
        this.writer.write(entries, MEMBERS, perSecond, () => this.partitions),
        this.scenario.run(this),
      ]);
      return await this.result();
    } finally {
      for (const member of this.members) member.end(false);
      this.writer.close();
      this.admin.disconnect();
      for (const node of this.stopped) node.resume();
      await Promise.all(this.nodes.map((node) => node.kill()));
      await this.redis.stop();
    }
  }

  async startNode(): Promise<TestNode> {
    const env: NodeEnv = {
      STREAMGATE_REDIS_URL: this.redis.url,
      STREAMGATE_BACKPLANE: this.plan.backplane,
      STREAMGATE_STREAM_PARTITIONS: String(this.partitions),
    };
    const node = await startNode(env);
    this.nodes.push(node);
    return node;
  }

  /** The living node that has the lease of partition 0. */
  async executing(): Promise<TestNode> {
    for (;;) {
      const [holder] = (await this.admin.get(LEASE))?.split('/') ?? [];
      const node = this.living().find(({ lines }) => lines.some((line) => line['node'] === holder));
      if (holder && node) return node;
      await pause(50);
    }
  }

  pauseNode(node: TestNode): void {
    this.stopped.add(node);
    this.stood.add(node.url);
    node.pause();
  }

  resumeNode(node: TestNode): void {
    this.stopped.delete(node);
    node.resume();
  }

  /** Everybody connected, every entry executed, nothing coming any more. */
  private async result(): Promise<Row> {
    await until(() => this.members.every(({ connected }) => connected));
    await until(async () => (await this.left()) === 0);
    let quiet = performance.now();
    let before = -1;
    await until(() => {
      const now = this.lives.reduce((sum, { received }) => sum + received.length, 0);
      if (now !== before) quiet = performance.now();
      before = now;
      return performance.now() - quiet > 2000;
    });
    for (const member of this.members) member.end(true);
    return {
      scenario: this.scenario.name,
      entries: this.writer.written,
      returns: this.returns,
      toldFalse: this.toldFalse,
      ...judge(this.lives, this.writer.last),
      dead: await this.admin.xlen(`${STREAM}:dead`),
    };
  }

  /** Streams in which an entry waits to be read or acknowledged. */
  private async left(): Promise<number> {
    let left = 0;
    for (let partition = 0; partition < MOST_PARTITIONS; partition++) {
      const stream = partition === 0 ? STREAM : `${STREAM}:${partition}`;
      if ((await this.admin.exists(stream)) === 0) continue;
      const { 'last-generated-id': newest } = pairs(await this.admin.xinfo('STREAM', stream));
      const groups = (await this.admin.xinfo('GROUPS', stream)) as unknown[];
      for (const group of groups.map(pairs))
        if (group['pending'] !== 0 || group['last-delivered-id'] !== newest) left++;
    }
    return left;
  }
}

function pairs(flat: unknown): Record<string, unknown> {
  const list = flat as unknown[];
  const entries: [string, unknown][] = [];
  for (let at = 0; at + 1 < list.length; at += 2) entries.push([String(list[at]), list[at + 1]]);
  return Object.fromEntries(entries);
}

/** @throws Error after a minute */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('it did not come to rest');
    await pause(50);
  }
}
