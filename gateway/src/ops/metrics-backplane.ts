import { Count, Histogram, PairCount, Reading, Readings, SECONDS } from './metric-kinds.js';

/** Of Redis, other nodes, and who is connected where. */
export const backplaneMetrics = {
  backplaneUp: new Reading(
    'streamgate_backplane_up',
    '1 while other nodes can be reached through the backplane, 0 while Redis is away',
  ),
  backplaneWarnings: new Reading(
    'streamgate_backplane_warnings',
    "Warnings about Redis' settings: eviction policy, AOF, memory near its limit",
  ),
  deliveries: new Count(
    'streamgate_deliveries_total',
    'Events written to sessions of this node: one for each session; replies to its own events are not counted',
  ),
  deliverySeconds: new Histogram(
    'streamgate_delivery_seconds',
    'From an event having been written (XADD, a Kafka record, a request, a client) to its being on the sockets of this node, once for each event and node; by the clocks of both ends. A message of chat is stored meanwhile',
    SECONDS,
    'door',
    ['client', 'http', 'tcp', 'stream', 'kafka'],
  ),
  received: new Count(
    'streamgate_backplane_received_total',
    'Events that have come to this node for sessions of its own, its own ones and messages of chat included: once for each; deliveries by it is how many sessions each had',
  ),
  publishSeconds: new Histogram(
    'streamgate_backplane_publish_seconds',
    'How long the backplane took to accept an event; with `mailbox` until this node has delivered it too',
    SECONDS,
  ),
  redisSeconds: new Histogram(
    'streamgate_redis_round_trip_seconds',
    'From a call to Redis to its answer, by connection; waiting in this node included',
    SECONDS,
    'connection',
    ['backplane'],
  ),
  redisFaults: new PairCount(
    'streamgate_redis_faults_total',
    'Calls to Redis that did not succeed, by connection and kind: timeout, unavailable, failed',
    ['connection', 'kind'],
    [
      ['backplane', 'timeout'],
      ['backplane', 'unavailable'],
      ['backplane', 'failed'],
    ],
  ),
  users: new Readings(
    'streamgate_users',
    'Users online in the whole cluster, as of the scrape before; the same on every node',
    'nsp',
  ),
  registryRepairs: new Count(
    'streamgate_registry_repairs_total',
    'Entries of this node in the registry that were not as they should be: ghost (no such session), missing',
    'kind',
    ['ghost', 'missing'],
  ),
  publishes: new Count(
    'streamgate_backplane_publishes_total',
    'Publishes by outcome: done, timeout, unavailable, failed',
    'outcome',
    ['done', 'timeout', 'unavailable', 'failed'],
  ),
  notForwarded: new Count(
    'streamgate_not_forwarded_total',
    'Client events delivered on this node only, because the backplane was away',
  ),
  announcementsSuppressed: new Count(
    'streamgate_announcements_suppressed_total',
    'Presence announcements not said, because too many users are online',
  ),
  adapterFaults: new Count(
    'streamgate_adapter_faults_total',
    'Rejections of the stock adapters, caught and counted',
  ),
  reconnects: new Count('streamgate_redis_reconnects_total', 'Reconnects to Redis'),
  swept: new Count(
    'streamgate_sessions_swept_total',
    'Sessions of dead nodes removed by this node',
  ),
};
