import * as value from './config-values.js';
import type { Variable } from './config-values.js';

const MIB = 1024 * 1024;

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
  STREAMGATE_CHAT_MESSAGES_PER_SECOND: {
    schema: value.whole(1, 1_000_000),
    default: '5',
    help: 'Messages, edits and reactions of a user on this node, on average; as many changes of conversations over REST',
  },
  STREAMGATE_CHAT_MESSAGES_BURST: {
    schema: value.whole(1, 1_000_000),
    default: '30',
    help: 'The same at once',
  },
  STREAMGATE_CHAT_TYPING_PER_SECOND: {
    schema: value.whole(1, 1_000_000),
    default: '3',
    help: 'How often a user on this node may begin to type, on average; ten times at once',
  },
  STREAMGATE_CHAT_ATTACHMENT_SCHEMES: {
    schema: value.list,
    default: 'https',
    help: 'Schemes that the URL of an attachment may have',
  },
  STREAMGATE_CHAT_ATTACHMENT_TYPES: {
    schema: value.list,
    default: 'image/png,image/jpeg,image/gif,image/webp,application/pdf,text/plain',
    help: 'Media types that an attachment may have; `image/*`: every image',
  },
  STREAMGATE_CHAT_ATTACHMENT_MAX_BYTES: {
    schema: value.whole(0, 1024 * 1024 * MIB),
    default: String(25 * MIB),
    help: 'Largest size that a message may give of an attachment',
  },
  STREAMGATE_INSECURE_QUERY_USER: {
    schema: value.flag,
    default: 'false',
    help: "Document 2's clients: believe `userId` of the query on `/chat` without a token; refused in production",
  },
} as const satisfies Record<string, Variable>;
