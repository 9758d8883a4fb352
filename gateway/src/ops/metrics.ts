import { getHeapStatistics } from 'node:v8';
import { exposition } from './exposition.js';
import { CountReadings, Reading, Readings } from './metric-kinds.js';
import { backplaneMetrics } from './metrics-backplane.js';
import { chatMetrics } from './metrics-chat.js';
import { doorsMetrics } from './metrics-doors.js';
import { edgeMetrics } from './metrics-edge.js';

/** Of the node itself. */
const nodeMetrics = {
  buildInfo: new Readings(
    'streamgate_build_info',
    'Always 1; the version of this node, and a hash of its configuration without secrets',
    'version',
    'config_hash',
  ),
  series: new Reading('streamgate_metric_series', 'Lines of counters and histograms of this node'),
  seriesRefused: new Reading(
    'streamgate_metric_label_sets_refused',
    'Times since the start that something was counted as `other`, because there were too many label values',
  ),
  draining: new Reading('streamgate_draining', '1 while this node is draining or drained'),
  drainRemaining: new Reading(
    'streamgate_drain_remaining_sessions',
    'Sessions that the drain has still to move off; 0 while serving',
  ),
  eventLoop: new CountReadings(
    'streamgate_event_loop_seconds_total',
    'Seconds that the event loop worked (active) and waited (idle); the rate of active is its utilisation',
    'state',
  ),
  heapLimit: new Reading('streamgate_heap_limit_bytes', 'The heap at which this node would end'),
};

/** Every metric by what it counts; names stand only here and in the parts. */
export const metrics = {
  ...nodeMetrics,
  ...edgeMetrics,
  ...doorsMetrics,
  ...backplaneMetrics,
  ...chatMetrics,
};

metrics.series.read(() => exposition.series);
metrics.seriesRefused.read(() => exposition.refused);
metrics.heapLimit.read(() => getHeapStatistics().heap_size_limit);
metrics.eventLoop.read(() => {
  const { active, idle } = performance.eventLoopUtilization();
  return [
    ['active', active / 1000],
    ['idle', idle / 1000],
  ];
});
