import { setImmediate as nextTurn } from 'node:timers/promises';
import { collectDefaultMetrics, Registry, type OpenMetricsContentType } from 'prom-client';

/** One line of a scrape. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Where it differs from the family's: `..._bucket`. */
  readonly metricName?: string;
  /** OpenMetrics 1.0, "Exemplars". */
  readonly exemplar?: {
    readonly labelSet: Readonly<Record<string, string>>;
    readonly value: number;
    /** Seconds since the epoch. */
    readonly timestamp: number;
  };
}

/** A metric with all of its samples. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  samples(): Sample[];
}

/** As prom-client's registry reads a metric. */
interface Metric {
  readonly name: string;
  readonly type: string;
  get(): Promise<{ name: string; help: string; type: string; values: readonly Sample[] }>;
}

/** Beside it are two readings by partition, 50 others and what prom-client has: under 2,000 a node. */
const SERIES_MAX = 1300;

/** Metrics that are read and written together. */
const STEP = 8;
/** How long a scrape writes before others have their turn, in ms. */
const HOLD_MS = 2;
/** Times that it lets others go first: where each turn takes long, Prometheus gives up after 10 s. */
const YIELDS_MAX = 5;

/** Of prom-client; each walks through all connections while the event loop waits. */
const EACH_CONNECTION = [
  'process_open_fds',
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
];

/**
 * All metrics of this node (a node is a process) in both formats that Prometheus asks for. prom-client
 * writes the text and has process, heap, garbage collection and event loop; our families stand in
 * both registries, since a registry of OpenMetrics takes `_total` off the names of its counters.
 */
class Exposition {
  /** Lines of counters and histograms, at most `SERIES_MAX`. */
  series = 0;
  /** Times that a set of label values was counted as `other`. */
  refused = 0;
  private readonly text = new Registry();
  private readonly openMetrics = new Registry<OpenMetricsContentType>();
  private readonly families = new Map<string, Family>();

  constructor() {
    this.openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    collectDefaultMetrics({ register: this.text });
    for (const name of EACH_CONNECTION) this.text.removeSingleMetric(name);
    for (const metric of this.text.getMetricsAsArray() as unknown as Metric[])
      register(this.openMetrics, withoutTotal(metric));
  }

  /** @throws Error when the name is taken */
  add(family: Family): void {
    const { name, help, type } = family;
    if (this.families.has(name))
      throw new Error(`A metric with the name ${name} has already been registered.`);
    this.families.set(name, family);
    const metric: Metric = {
      name,
      type,
      get: () => Promise.resolve({ name, help, type, values: family.samples() }),
    };
    register(this.text, metric);
    register(this.openMetrics, withoutTotal(metric));
  }

  /** Takes a family out, for tests. */
  remove(name: string): void {
    this.families.delete(name);
    this.text.removeSingleMetric(name);
    this.openMetrics.removeSingleMetric(name.replace(/_total$/, ''));
  }

  /** Ours, in the order in which they were made. */
  all(): Iterable<Family> {
    return this.families.values();
  }

  /**
   * Whether a family may have more lines: Prometheus pays for each, on every node.
   * @param lines that it wants
   */
  takes(lines: number): boolean {
    if (this.series + lines > SERIES_MAX) return false;
    this.series += lines;
    return true;
  }

  /**
   * Writes all in steps, so that no scrape holds the event loop.
   * @param accept the request's header `Accept`
   * @returns the text, and its content type
   */
  async scrape(accept = ''): Promise<{ type: string; text: string }> {
    const isOpen = accept.includes('application/openmetrics-text');
    const registry = isOpen ? this.openMetrics : this.text;
    const metrics = registry.getMetricsAsArray() as unknown as readonly Metric[];
    const texts: string[] = [];
    let yields = 0;
    let began = performance.now();
    for (let from = 0; from < metrics.length; from += STEP) {
      const step = metrics.slice(from, from + STEP);
      texts.push(
        ...(await Promise.all(step.map(({ name }) => registry.getSingleMetricAsString(name)))),
      );
      if (yields === YIELDS_MAX || performance.now() - began < HOLD_MS) continue;
      yields += 1;
      await nextTurn();
      began = performance.now();
    }
    return {
      type: registry.contentType,
      text: [...texts, ...(isOpen ? ['# EOF'] : []), ''].join('\n'),
    };
  }
}

function withoutTotal(metric: Metric): Metric {
  if (metric.type !== 'counter') return metric;
  const name = metric.name.replace(/_total$/, '');
  return { name, type: metric.type, get: async () => ({ ...(await metric.get()), name }) };
}

function register(registry: Pick<Registry, 'registerMetric'>, metric: Metric): void {
  registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0]);
}

export const exposition = new Exposition();
