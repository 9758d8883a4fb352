import { RoomRules } from '@streamgate/protocol/room-rules';
import { chat } from './config-chat.js';
import { commands, inbox, kafka, outbound, tcp } from './config-doors.js';
import * as value from './config-values.js';
import type { Variable } from './config-values.js';
import { LOG_LEVELS } from './ops/log.js';

const KIB = 1024;
const MIB = 1024 * KIB;

const node = {
  STREAMGATE_MODE: {
    schema: value.oneOf('production', 'development'),
    default: 'production',
    help: '`development`: development tokens, lenient CORS, API page, console, Ctrl-C stops at once',
  },
  STREAMGATE_HTTP_PORT: {
    schema: value.port,
    default: '3000',
    help: 'Clients and REST; 0 = any free port',
  },
  STREAMGATE_MANAGEMENT_PORT: {
    schema: value.port,
    default: '9464',
    help: 'Health, metrics, drain; never behind the ingress; 0 = any free port',
  },
  STREAMGATE_HOST: {
    schema: value.text,
    default: '0.0.0.0',
    help: 'Address that both ports listen on',
  },
  STREAMGATE_LOG_LEVEL: {
    schema: value.oneOf(...LOG_LEVELS),
    default: 'info',
    help: 'Least level that is logged; the management port changes it at run time',
  },
  STREAMGATE_CONSOLE: {
    schema: value.oneOf('auto', 'on', 'off'),
    default: 'auto',
    help: 'The page at `/console` to try the gateway on; `auto`: in development only',
  },
  STREAMGATE_ADMIN_TOKEN: {
    schema: value.text.min(16, 'must be at least 16 characters'),
    mask: value.hidden,
    help: 'Bearer token for `/admin/*` from elsewhere than loopback',
  },
} as const satisfies Record<string, Variable>;

const tokens = {
  STREAMGATE_JWT_SECRET: {
    schema: value.text,
    mask: value.hidden,
    help: 'HS256 key; production wants 32 bytes or more',
  },
  STREAMGATE_JWT_SECRET_PREVIOUS: {
    schema: value.text,
    mask: value.hidden,
    help: 'The secret before a rotation; accepted too',
  },
  STREAMGATE_JWT_PUBLIC_KEY: {
    schema: value.publicKey,
    help: 'RS, ES or EdDSA public key, PEM text',
  },
  STREAMGATE_JWT_PUBLIC_KEY_PREVIOUS: {
    schema: value.publicKey,
    help: 'The public key before a rotation; accepted too',
  },
  STREAMGATE_JWT_JWKS_URL: {
    schema: value.httpUrl,
    mask: value.hiddenPassword,
    help: 'Key set of the identity provider; cached, rotated',
  },
  STREAMGATE_JWT_ISSUER: { schema: value.text, help: '`iss` that a token must have' },
  STREAMGATE_JWT_AUDIENCE: { schema: value.text, help: '`aud` that a token must have' },
  STREAMGATE_JWT_USER_CLAIM: {
    schema: value.list,
    default: 'sub,userId,id,_id',
    help: 'Claims that may hold the user id, first found wins; dotted paths',
  },
  STREAMGATE_JWT_USERNAME_CLAIM: {
    schema: value.list,
    default: 'username,preferred_username,name',
    help: 'Claims that may hold the user name; else the user id',
  },
  STREAMGATE_JWT_ROLES_CLAIM: {
    schema: value.list,
    default: 'roles,role',
    help: 'Claims that may hold the roles: array, or text separated by spaces or commas',
  },
  STREAMGATE_JWT_LEEWAY_SECONDS: {
    schema: value.whole(0, 300),
    default: '5',
    help: 'Clock skew allowed for `exp` and `nbf`',
  },
  STREAMGATE_TOKEN_GRACE_SECONDS: {
    schema: value.whole(0, 3600),
    default: '30',
    help: 'Time after expiry in which a connected client may refresh its token',
  },
} as const satisfies Record<string, Variable>;

const permissions = {
  STREAMGATE_EMIT_ROLES: {
    schema: value.list,
    default: 'admin,service',
    help: 'Roles that may emit through REST; `*` = any valid token',
  },
  STREAMGATE_PRESENCE_ROLES: {
    schema: value.list,
    default: '*',
    help: 'Roles that may list who is connected; `*` = any valid token',
  },
  STREAMGATE_ROOM_RULES: {
    schema: RoomRules,
    help: 'JSON list of rules: who may join which rooms; first match decides',
  },
  STREAMGATE_CORS_ORIGINS: {
    schema: value.origins,
    help: 'Origins that browsers may connect from; `*` = any. Unset: none in production, any in development',
  },
} as const satisfies Record<string, Variable>;

const backplane = {
  STREAMGATE_REDIS_URL: {
    schema: value.redisUrl,
    mask: value.hiddenPassword,
    help: '`redis://[user:password@]host:port/db`, `rediss://` for TLS, `redis+sentinel://[user:password@]host:port,host:port/master/db`',
  },
  STREAMGATE_REDIS_PREFIX: {
    schema: value.text.regex(
      /^[\w.-]{1,64}$/,
      'must be 1 to 64 letters, digits, dots, dashes or underscores',
    ),
    default: 'streamgate',
    help: 'Begins every name in Redis; two deployments with different prefixes do not meet',
  },
  STREAMGATE_BACKPLANE: {
    schema: value.oneOf('memory', 'mailbox', 'streams', 'pubsub'),
    help: 'Unset: `mailbox`, our own, with a Redis URL, else `memory`. `streams` and `pubsub` are the stock adapters',
  },
  STREAMGATE_REDIS_TIMEOUT_MS: {
    schema: value.whole(10, 60_000),
    default: '500',
    help: 'A publish that takes longer is treated as Redis away',
  },
  STREAMGATE_READY_WITHOUT_REDIS: {
    schema: value.flag,
    default: 'true',
    help: '`false`: readiness answers 503 while Redis is away',
  },
} as const satisfies Record<string, Variable>;

const presence = {
  STREAMGATE_RECOVERY_SECONDS: {
    schema: value.whole(0, 86_400),
    default: '120',
    help: 'How long a lost session can be continued; 0 = not at all',
  },
  STREAMGATE_OFFLINE_SECONDS: {
    schema: value.whole(0, 3600),
    default: '10',
    help: 'How long a user whose transport was lost still counts as online',
  },
  STREAMGATE_ANNOUNCE_MAX_USERS: {
    schema: value.whole(0, 10_000_000),
    default: '1000',
    help: 'Above so many users online, nobody is told of who comes and goes',
  },
  STREAMGATE_PAGE_SIZE: {
    schema: value.whole(1, 1000),
    default: '100',
    help: 'Users in a page of a list, unless the request gives a limit',
  },
} as const satisfies Record<string, Variable>;

const limits = {
  STREAMGATE_MAX_SESSIONS: {
    schema: value.whole(1, 10_000_000),
    default: '50000',
    help: 'Of this node',
  },
  STREAMGATE_MAX_SESSIONS_PER_USER: {
    schema: value.whole(1, 1_000_000),
    default: '100',
    help: 'Cluster-wide',
  },
  STREAMGATE_MAX_SESSIONS_PER_ADDRESS: {
    schema: value.whole(1, 10_000_000),
    default: '10000',
    help: 'Of this node; an IPv6 address counts by its /64',
  },
  STREAMGATE_TRUSTED_PROXIES: {
    schema: value.proxies,
    help: 'Addresses, networks or `loopback`, `linklocal`, `uniquelocal`, whose X-Forwarded-For is believed',
  },
  STREAMGATE_CONNECTS_PER_SECOND: {
    schema: value.whole(1, 1_000_000),
    default: '1000',
    help: 'Handshakes that this node admits',
  },
  STREAMGATE_ROOMS_PER_SESSION: {
    schema: value.whole(0, 100_000),
    default: '100',
    help: 'Rooms that a session may join by itself',
  },
  STREAMGATE_EVENTS_PER_SECOND: {
    schema: value.whole(1, 1_000_000),
    default: '50',
    help: 'Of a session, on average',
  },
  STREAMGATE_EVENTS_BURST: {
    schema: value.whole(1, 1_000_000),
    default: '200',
    help: 'Of a session, at once',
  },
  STREAMGATE_BYTES_PER_SECOND: {
    schema: value.whole(KIB, 1024 * MIB),
    default: String(512 * KIB),
    help: 'Of a session, on average, incoming; its burst is four seconds of it',
  },
  STREAMGATE_MAX_PAYLOAD_BYTES: {
    schema: value.whole(KIB, 100 * MIB),
    default: String(100 * KIB),
    help: 'Largest packet of a client, and largest REST body but for commands',
  },
  STREAMGATE_MAX_BUFFERED_BYTES: {
    schema: value.whole(16 * KIB, 1024 * MIB),
    default: String(MIB),
    help: 'Unsent bytes after which a slow session is ended',
  },
} as const satisfies Record<string, Variable>;

const transport = {
  STREAMGATE_PING_INTERVAL_MS: {
    schema: value.whole(100, 3_600_000),
    default: '25000',
    help: 'Engine.IO heartbeat',
  },
  STREAMGATE_PING_TIMEOUT_MS: {
    schema: value.whole(100, 3_600_000),
    default: '20000',
    help: 'Without a pong for so long the session is lost',
  },
  STREAMGATE_CONNECT_TIMEOUT_MS: {
    schema: value.whole(100, 3_600_000),
    default: '10000',
    help: 'Once its transport is open, a client has so long to connect to a namespace',
  },
  STREAMGATE_PER_MESSAGE_DEFLATE: {
    schema: value.flag,
    default: 'false',
    help: 'Compress WebSocket messages; costs memory and CPU for each session',
  },
  STREAMGATE_DRAIN_SECONDS: {
    schema: value.whole(0, 86_400),
    default: '60',
    help: 'Over how long a drain spreads the closing of sessions',
  },
  STREAMGATE_DRAIN_NOTICE: {
    schema: value.flag,
    default: 'false',
    help: 'Tell clients `draining {withinMs}` when a drain begins',
  },
} as const satisfies Record<string, Variable>;

const documents = {
  STREAMGATE_AUTH_ERROR_EVENT: {
    schema: value.flag,
    default: 'false',
    help: "Document 5's clients: send a refused client `error` before closing",
  },
  STREAMGATE_ALLOW_EIO3: {
    schema: value.flag,
    default: 'false',
    help: 'Accept socket.io-client 2',
  },
} as const satisfies Record<string, Variable>;

/** Every variable once, in the order in which people read them. */
export const VARIABLES = {
  ...node,
  ...tokens,
  ...permissions,
  ...backplane,
  ...presence,
  ...limits,
  ...transport,
  ...commands,
  ...inbox,
  ...tcp,
  ...kafka,
  ...outbound,
  ...chat,
  ...documents,
};

/** The same by subject, for the generated table. */
export const SUBJECTS: Readonly<Record<string, Readonly<Record<string, Variable>>>> = {
  'The node': node,
  Tokens: tokens,
  'What is allowed': permissions,
  'Redis and the backplane': backplane,
  'Recovery and presence': presence,
  Limits: limits,
  'Connections and drain': transport,
  'Commands from services': commands,
  'Inboxes of users': inbox,
  'The TCP door': tcp,
  'The Kafka door': kafka,
  'What services hear of clients': outbound,
  Chat: chat,
  'For clients of the five documents': documents,
};
