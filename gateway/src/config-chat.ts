import * as value from './config-values.js';
import type { Variable } from './config-values.js';

/** The part of the variables that concerns chat and the database that keeps it. */
export const chat = {
  STREAMGATE_CHAT: {
    schema: value.oneOf('auto', 'on', 'off'),
    default: 'auto',
    help: 'The `/chat` namespace and `/v1/conversations`; `auto`: on with a database URL, or in development without Redis; off: refused with `chat_disabled`',
  },
  STREAMGATE_DATABASE_URL: {
    schema: value.postgresUrl,
    mask: value.hidden,
    help: 'PostgreSQL that keeps chat: `postgres://user:password@host:port/database`, one for all nodes',
  },
  STREAMGATE_DATABASE_POOL: {
    schema: value.whole(1, 1000),
    default: '10',
    help: 'Connections of this node to PostgreSQL at most',
  },
  STREAMGATE_DATABASE_TIMEOUT_MS: {
    schema: value.whole(100, 60_000),
    default: '3000',
    help: 'How long a statement may take',
  },
  STREAMGATE_DATABASE_CONNECT_TIMEOUT_MS: {
    schema: value.whole(100, 60_000),
    default: '2000',
    help: 'How long to wait for a connection; then the database counts as away',
  },
  STREAMGATE_DATABASE_IDLE_MS: {
    schema: value.whole(1000, 3_600_000),
    default: '30000',
    help: 'A connection that nobody has used for so long is closed',
  },
  STREAMGATE_DATA_DIR: {
    schema: value.text,
    help: 'Folder of the embedded database, for one process, used without a database URL; unset: `.streamgate/chat-<port>`, or memory when the port is 0',
  },
  STREAMGATE_INSECURE_QUERY_USER: {
    schema: value.flag,
    default: 'false',
    help: "Document 2's clients: believe `userId` of the query on `/chat` without a token; refused in production",
  },
} as const satisfies Record<string, Variable>;
