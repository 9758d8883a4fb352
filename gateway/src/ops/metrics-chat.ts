import { Count, Histogram, Reading, Readings, SECONDS } from './metric-kinds.js';

/** Of chat and its database. */
export const chatMetrics = {
  databaseUp: new Reading(
    'streamgate_database_up',
    '1 while the database of chat can be reached; absent while chat is off',
  ),
  databaseConnections: new Readings(
    'streamgate_database_connections',
    'Connections to PostgreSQL by state: busy, idle; and requests that wait for one: waiting',
    'state',
  ),
  databaseQueries: new Count(
    'streamgate_database_queries_total',
    'Requests to the database of chat by outcome: done, unavailable, failed',
    'outcome',
    ['done', 'unavailable', 'failed'],
  ),
  databaseSeconds: new Histogram(
    'streamgate_database_seconds',
    'How long a request to the database of chat took, with waiting for a connection; a batch of messages is one',
    SECONDS,
  ),
  chatGaps: new Count(
    'streamgate_chat_gaps_total',
    'Messages that did not come from another node in time: fetched from the database, or given_up and left to clients to reload',
    'outcome',
    ['fetched', 'given_up'],
  ),
  chatMessages: new Count(
    'streamgate_chat_messages_total',
    'Messages from clients by outcome: sent, duplicate, or the code of the refusal',
    'outcome',
    ['sent', 'duplicate'],
  ),
  contactsUntold: new Count(
    'streamgate_chat_contacts_untold_total',
    'Times that contacts were not told who comes or goes: the database was away, or too many',
  ),
};
