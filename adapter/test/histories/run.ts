import { type TestRedis, startRedis } from '../../../gateway/test/redis.ts';
import { type CandidateOptions, type Kind, until } from '../candidates.ts';
import { type Fault, type Known, type Life, type Verdict, judge, key, writerOf } from './judge.ts';
import type { Told } from './node.ts';
import { type Phase, phases } from './phases.ts';
import { NodeProcess } from './process.ts';
import { Session, type World } from './session.ts';

export interface Plan {
  kind: Kind;
  quick: boolean;
  /** Events over all nodes. */
  perSecond: number;
  seed: number;
  /** How many Redis, one shard on each (ours only); what happens to Redis happens to one of them. */
  servers: number;
  progress(line: string): void;
}

export interface Row extends Verdict {
  phase: string;
  published: number;
  /** Sessions that came back, and how many of them were told `recovered: false`. */
  returns: number;
  toldFalse: number;
  /** How often the nodes said why (ours only); who gave up before the answer is among them. */
  causes: Record<string, number>;
}

export interface History {
  kind: Kind;
  seed: number;
  seconds: number;
  rows: Row[];
  total: Row;
  faults: Fault[];
}

const NODES = 3;
const ROOMS = 30;
const SESSIONS = 60;
const ROOMS_OF_A_SESSION = 2;
const LEASE_MS = 3000;
const RECOVERY_SECONDS = 20;

/** The nodes, the writers, the sessions and the faults of one adapter. */
export class Running implements World {
  /** The one that faults happen to. */
  redis!: TestRedis;
  private servers: TestRedis[] = [];
  readonly sessions: Session[] = [];
  readonly plan: Plan;
  private readonly all: NodeProcess[] = [];
  private readonly lives: Life[] = [];
  private readonly accepted = new Set<number>();
  private readonly locally = new Set<number>();
  private readonly elsewhere = new Set<number>();
  private readonly causes: Record<string, number>[];
  private readonly arrival = new Map<number, number>();
  private readonly published: number[];
  private readonly returns: number[];
  private readonly toldFalse: number[];
  private readonly script: Phase[];
  private writers = 0;
  private current = 0;
  private state: number;

  constructor(plan: Plan) {
    this.plan = plan;
    this.state = plan.seed;
    this.script = phases(plan.quick);
    const zeros = () => this.script.map(() => 0);
    [this.published, this.returns, this.toldFalse] = [zeros(), zeros(), zeros()];
    this.causes = this.script.map(() => ({}));
  }

  nodes = (): NodeProcess[] => this.all.filter(({ alive }) => alive);
  phase = (): number => this.current;
  nextWriter = (): number => this.writers;
  began = (life: Life): void => void this.lives.push(life);
  arrived(event: number, node: NodeProcess | undefined): void {
    if (!this.arrival.has(event)) this.arrival.set(event, this.arrival.size);
    if (node && this.writerOf.get(node)!.writer !== writerOf(event)) this.elsewhere.add(event);
  }
  cameBack(recovered: boolean): void {
    this.returns[this.current]!++;
    if (!recovered) this.toldFalse[this.current]!++;
  }

  /** From the seed (mulberry32); but who asks first is up to the clock. */
  random = (): number => {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };

  async history(): Promise<History> {
    const started = performance.now();
    this.servers = await Promise.all(Array.from({ length: this.plan.servers }, () => startRedis()));
    this.redis = this.servers[0]!;
    try {
      for (let index = 0; index < NODES; index++) await this.startNode();
      for (let index = 0; index < SESSIONS; index++) this.sessions.push(this.newSession(index));
      await Promise.all(this.sessions.map((session) => session.connect()));
      for (const node of this.all) this.write(node);
      for (const [index, phase] of this.script.entries()) {
        this.current = index;
        this.plan.progress(phase.name);
        await phase.run(this);
      }
      await this.settle();
    } finally {
      await Promise.all(this.all.map((node) => node.kill()));
      await Promise.all(this.servers.map((server) => server.stop()));
    }
    return this.result(Math.round((performance.now() - started) / 1000));
  }

  async startNode(): Promise<NodeProcess> {
    const options: CandidateOptions = {
      url: this.redis.url,
      urls: this.servers.map(({ url }) => url),
      prefix: 'histories',
      leaseMs: LEASE_MS,
      recoverySeconds: RECOVERY_SECONDS,
    };
    const held: { writer?: number } = {};
    const node = await NodeProcess.start({ kind: this.plan.kind, options }, (told) =>
      this.hear(told, held.writer!),
    );
    this.writerOf.set(node, held);
    this.all.push(node);
    return node;
  }

  write(node: NodeProcess): void {
    const writer = this.writers++;
    this.writerOf.get(node)!.writer = writer;
    node.write({ writer, perSecond: this.plan.perSecond / NODES, rooms: ROOMS });
  }
  private readonly writerOf = new Map<NodeProcess, { writer?: number }>();

  /** Ours must; the stock adapter may leave sessions waiting, which is said. @throws Error */
  async waitUntil(otherwise: string, condition: () => boolean, ms: number): Promise<void> {
    try {
      await until(condition, ms);
    } catch (error) {
      if (this.plan.kind === 'mailbox') throw error;
      this.plan.progress(otherwise);
    }
  }

  /** Everybody connected, and nothing under way. */
  private async settle(): Promise<void> {
    const nodes = this.nodes();
    await this.waitUntil(
      'not everybody is back',
      () => this.sessions.every(({ connected }) => connected),
      60_000,
    );
    await Promise.all(nodes.map((node) => node.stopWriting()));
    let before = -1;
    let quiet = performance.now();
    await until(() => {
      const now = this.lives.reduce((sum, { received }) => sum + received.length, 0);
      if (now !== before) quiet = performance.now();
      before = now;
      return performance.now() - quiet > 1500;
    }, 60_000);
    for (const session of this.sessions) session.end(true);
  }

  private newSession(index: number): Session {
    const rooms = Array.from(
      { length: ROOMS_OF_A_SESSION },
      (_, nth) => (index * ROOMS_OF_A_SESSION + nth * 7) % ROOMS,
    );
    return new Session(this, rooms);
  }

  private hear(told: Told, writer: number): void {
    const add = (pairs: number[], to: Set<number>) => {
      for (let at = 0; at < pairs.length; at += 2) to.add(key(writer, pairs[at]!, pairs[at + 1]!));
    };
    if ('wrote' in told) this.published[this.current]! += told.wrote;
    if ('accepted' in told) add(told.accepted, this.accepted);
    if ('locally' in told) add(told.locally, this.locally);
    if ('unrecovered' in told) count(this.causes[this.current]!, told.unrecovered, 1);
  }

  private result(seconds: number): History {
    const known: Known = {
      accepted: this.accepted,
      locally: this.locally,
      elsewhere: this.elsewhere,
      arrival: this.arrival,
    };
    const faults: Fault[] = [];
    const verdicts = judge(this.lives, known, this.script.length, (fault) => faults.push(fault));
    const rows = this.script.map(({ name }, index) => ({
      phase: name,
      published: this.published[index]!,
      returns: this.returns[index]!,
      toldFalse: this.toldFalse[index]!,
      causes: this.causes[index]!,
      ...verdicts[index]!,
    }));
    const total = rows.reduce((sum, row) => ({
      phase: 'all',
      published: sum.published + row.published,
      returns: sum.returns + row.returns,
      toldFalse: sum.toldFalse + row.toldFalse,
      causes: added(sum.causes, row.causes),
      deliveries: sum.deliveries + row.deliveries,
      lost: sum.lost + row.lost,
      doubled: sum.doubled + row.doubled,
      outOfOrder: sum.outOfOrder + row.outOfOrder,
    }));
    return { kind: this.plan.kind, seed: this.plan.seed, seconds, rows, total, faults };
  }
}

function count(causes: Record<string, number>, cause: string, times: number): void {
  causes[cause] = (causes[cause] ?? 0) + times;
}

function added(one: Record<string, number>, other: Record<string, number>): Record<string, number> {
  const sum = { ...one };
  for (const [cause, times] of Object.entries(other)) count(sum, cause, times);
  return sum;
}

export function run(plan: Plan): Promise<History> {
  return new Running(plan).history();
}
