import { asGrafana, PANELS } from './boards.ts';
import type { Prometheus } from './prometheus.ts';

/** What an SRE reads off the Overview, and nothing else: by titles of its panels. */
export type Diagnosis =
  | 'healthy'
  | 'Redis'
  | 'the network of a node to Redis'
  | 'a node is away'
  | 'us';

/** @param wanted nodes that there should be, which an SRE knows */
export async function diagnose(
  prometheus: Prometheus,
  seconds: number,
  wanted: number,
): Promise<Diagnosis> {
  const see = async (title: string) => {
    const panel = PANELS.find((each) => each.board === 'Overview' && each.title === title);
    if (!panel) throw new Error(`the Overview has no panel ${title}`);
    const series = await prometheus.now(asGrafana(panel.queries[0]!, seconds));
    return series.map(({ values }) => Number(values[0]![1]));
  };
  const [[nodes = 0], [redis = 0], reachable, faults, loops] = await Promise.all([
    see('Nodes'),
    see('Redis'),
    see('Redis reachable, by node'),
    see('Faults of Redis calls'),
    see('Event loop'),
  ]);
  if (loops.some((busy) => busy > 0.9)) return 'us';
  if (redis === 0 && faults.some((rate) => rate > 0))
    return reachable.every((up) => up === 0) ? 'Redis' : 'the network of a node to Redis';
  return nodes < wanted ? 'a node is away' : 'healthy';
}
