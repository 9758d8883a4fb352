import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

/** Of Linux; elsewhere CPU and memory of processes stay unknown. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;
const EVERY_MS = 1000;

/** What a process used. */
export interface ProcessUse {
  /** Processors, as an average since the sample before: 1 is one of them all the time. */
  readonly cpu: number;
  readonly rssBytes: number;
}

export interface NodeUse extends ProcessUse {
  readonly number: number;
  /** From its own metrics, by short name; empty for a gateway without. */
  readonly own: Readonly<Record<string, number>>;
}

export interface Sample {
  /** Since the load began; negative while people connect. */
  readonly second: number;
  readonly nodes: readonly NodeUse[];
  readonly redis: ProcessUse | undefined;
  readonly k6: ProcessUse | undefined;
  /** Share of the machine's processors that worked, 0 to 1. */
  readonly machine: number;
  /** Share that was none of ours. */
  readonly others: number;
}

/** What is looked at; it changes while nodes come and go. */
export interface Watched {
  nodes(): readonly { readonly number: number; readonly pid: number; readonly metrics?: string }[];
  readonly redis: () => number | undefined;
  readonly k6: () => number | undefined;
  /** Further processes of this run. */
  readonly ours: () => readonly number[];
}

/** Series of ours that are kept, and what they are called in a sample. */
const SERIES: Readonly<Record<string, string>> = {
  streamgate_sessions: 'sessions',
  nodejs_heap_size_used_bytes: 'heapBytes',
  process_resident_memory_bytes: 'rssBytes',
  process_cpu_seconds_total: 'cpuSeconds',
  streamgate_deliveries_total: 'deliveries',
  streamgate_connects_total: 'connects',
  streamgate_closings_total: 'closings',
  streamgate_redis_reconnects_total: 'redisReconnects',
  'streamgate_closings_total{cause="slow_consumer"}': 'slowConsumers',
  'streamgate_event_loop_seconds_total{state="active"}': 'loopSeconds',
};

/** Looks at processes and metrics of nodes once a second. */
export class Samples {
  readonly taken: Sample[] = [];
  private began: number | undefined;
  private readonly watched: Watched;
  private readonly cpuBefore = new Map<number, number>();
  private machineBefore = machineTimes();
  private at = performance.now();
  private timer: NodeJS.Timeout | undefined;
  private busy = false;

  constructor(watched: Watched) {
    this.watched = watched;
    this.timer = setInterval(() => void this.take(), EVERY_MS);
  }

  /** Seconds count from then on. @param at ms since the epoch */
  begin(at = Date.now()): void {
    this.began = performance.now() + at - Date.now();
  }

  /** Seconds since then. */
  get second(): number {
    return this.began === undefined ? -1 : (performance.now() - this.began) / 1000;
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async take(): Promise<void> {
    // A scrape may take longer than a second when a node stands still.
    if (this.busy) return;
    this.busy = true;
    const now = performance.now();
    const seconds = (now - this.at) / 1000;
    this.at = now;
    const use = (pid: number | undefined) => this.use(pid, seconds);
    const known = this.watched.nodes();
    const nodes = known.map(({ number, pid }) => ({ number, ...(use(pid) ?? GONE) }));
    const redis = use(this.watched.redis());
    const k6 = use(this.watched.k6());
    const rest = this.watched.ours().map(use);
    const before = this.machineBefore;
    const after = (this.machineBefore = machineTimes());
    const machine = (after.busy - before.busy) / Math.max(1, after.all - before.all);
    const ours = [...nodes, redis, k6, ...rest].reduce((sum, each) => sum + (each?.cpu ?? 0), 0);
    const own = await Promise.all(known.map(({ metrics }) => scrape(metrics)));
    this.busy = false;
    if (!this.timer) return;
    this.taken.push({
      second: this.began === undefined ? -1 : (now - this.began) / 1000,
      nodes: nodes.map((node, index) => ({ ...node, own: own[index]! })),
      redis,
      k6,
      machine,
      others: Math.max(0, machine - ours / availableParallelism()),
    });
  }

  private use(pid: number | undefined, seconds: number): ProcessUse | undefined {
    const now = pid === undefined ? undefined : processTimes(pid);
    if (pid === undefined || !now) return undefined;
    const before = this.cpuBefore.get(pid);
    this.cpuBefore.set(pid, now.cpuSeconds);
    return {
      cpu: before === undefined ? 0 : (now.cpuSeconds - before) / seconds,
      rssBytes: now.rssBytes,
    };
  }
}

const GONE: ProcessUse = { cpu: 0, rssBytes: 0 };

/** CPU and memory of a process; undefined when it has ended, and where there is no /proc. */
export function processTimes(pid: number): { cpuSeconds: number; rssBytes: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Behind the name of the program, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const pages = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1];
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      rssBytes: Number(pages) * PAGE_BYTES,
    };
  } catch {
    return undefined; // it has ended, or this is not Linux
  }
}

/** A process and its children. */
export function family(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return [pid, ...(children === '' ? [] : children.split(' ').map(Number))];
  } catch {
    return [pid]; // it has ended, or this is not Linux
  }
}

function machineTimes(): { busy: number; all: number } {
  let busy = 0;
  let all = 0;
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq;
    all += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { busy, all };
}

export async function scrape(url: string | undefined): Promise<Record<string, number>> {
  if (url === undefined) return {};
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(900) });
    return ownSeries(await answer.text());
  } catch {
    return {}; // the node is away or stands still
  }
}

/** The series that are kept, summed over their labels, and those with labels that are kept beside. */
export function ownSeries(text: string): Record<string, number> {
  const own: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const end = line.lastIndexOf(' ');
    const series = line.slice(0, end);
    for (const name of new Set([SERIES[series], SERIES[series.split('{')[0]!]]))
      if (name !== undefined) own[name] = (own[name] ?? 0) + Number(line.slice(end + 1));
  }
  return own;
}
