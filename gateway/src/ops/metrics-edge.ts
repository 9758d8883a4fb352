import { CLOSINGS } from '@streamgate/protocol/closings';
import {
  Count,
  CountReadings,
  Histogram,
  PairCount,
  Reading,
  Readings,
  SECONDS,
} from './metric-kinds.js';

/** Of sockets: connects, sessions, what clients say. */
export const edgeMetrics = {
  sessions: new Readings(
    'streamgate_sessions',
    'Sessions on this node, by namespace and transport (websocket, polling)',
    'nsp',
    'transport',
  ),
  sessionsMax: new Reading('streamgate_sessions_max', 'Sessions that this node admits at most'),
  handshakes: new Reading(
    'streamgate_handshakes_in_flight',
    'Connects that are being decided: token, registry, what was missed',
  ),
  sessionSeconds: new Histogram(
    'streamgate_session_duration_seconds',
    'How long sessions lasted that have ended',
    [1, 10, 60, 300, 1800, 3600, 14_400, 43_200, 86_400],
  ),
  traffic: new CountReadings(
    'streamgate_traffic_bytes_total',
    'Bytes on the public port, in and out, as of the scrape before',
    'direction',
  ),
  connects: new PairCount(
    'streamgate_connects_total',
    'Connects by outcome (accepted, recovered, refused) and, when refused, the code or `aborted`',
    ['outcome', 'reason'],
    [
      ['accepted', ''],
      ['recovered', ''],
    ],
  ),
  disconnects: new Count(
    'streamgate_disconnects_total',
    'Sessions that ended, by reason',
    'reason',
  ),
  eventsIn: new Count(
    'streamgate_events_in_total',
    'Events from clients, by name; `other`: names that no document has',
    'event',
    ['other'],
  ),
  eventSeconds: new Histogram(
    'streamgate_event_seconds',
    'From an event of a client to its answer or refusal',
    SECONDS,
    'nsp',
    ['/'],
  ),
  eventErrors: new Count(
    'streamgate_event_errors_total',
    'Events from clients that were refused, by code',
    'code',
  ),
  closings: new Count(
    'streamgate_closings_total',
    'Sessions that the gateway ended, by cause',
    'cause',
    Object.keys(CLOSINGS),
  ),
  recoveries: new Count(
    'streamgate_recoveries_total',
    'Attempts to continue a session, by outcome',
    'outcome',
    ['recovered', 'too_old', 'unknown', 'other_user', 'conversations', 'unproven'],
  ),
  recoveredEvents: new Count(
    'streamgate_recovered_events_total',
    'Missed events that were given to sessions at their return',
  ),
};
