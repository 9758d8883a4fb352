import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { RoomRules } from '@streamgate/protocol/room-rules';

/** The only reader of the environment: every variable as it stands, checked and frozen. */

const KIB = 1024;
const whole = (min: number, max: number) =>
  z.coerce
    .number({ error: 'must be a number' })
    .int('must be a whole number')
    .min(min, `must be at least ${min}`)
    .max(max, `must be at most ${max}`);
const flag = z
  .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
  .transform((text) => text === 'true' || text === '1');
const names = z.string().transform((text) => text.split(',').map((name) => name.trim()).filter(Boolean));
const port = whole(0, 65_535);

/** A name in the environment: how it is read, and what the generated table says of it. */
interface Variable {
  readonly schema: z.ZodType;
  /** As it would be written in the environment; undefined: none. */
  readonly default?: string;
  readonly secret?: boolean;
  readonly help: string;
}

export const VARIABLES = {
  STREAMGATE_MODE: { schema: z.enum(['production', 'development']), default: 'production', help: '`development`: development tokens, lenient CORS, API page, Ctrl-C stops at once' },
  STREAMGATE_HTTP_PORT: { schema: port, default: '3000', help: 'Clients and REST; 0 = any free port' },
  STREAMGATE_MANAGEMENT_PORT: { schema: port, default: '9464', help: 'Health, metrics, drain; never behind the ingress; 0 = any free port' },
  STREAMGATE_HOST: { schema: z.string().min(1), default: '0.0.0.0', help: 'Address that both ports listen on' },
  STREAMGATE_LOG_LEVEL: { schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']), default: 'info', help: 'Least level that is logged; can be changed at run time on the management port' },
  STREAMGATE_JWT_SECRET: { schema: z.string().min(1), secret: true, help: 'HS256 key; production wants 32 bytes or more' },
  STREAMGATE_JWT_SECRET_PREVIOUS: { schema: z.string().min(1), secret: true, help: 'The secret before a rotation; accepted too' },
  STREAMGATE_JWT_PUBLIC_KEY: { schema: z.string().startsWith('-----BEGIN', 'must be PEM text'), help: 'RS, ES or EdDSA public key, PEM text' },
  STREAMGATE_JWT_PUBLIC_KEY_PREVIOUS: { schema: z.string().startsWith('-----BEGIN', 'must be PEM text'), help: 'The public key before a rotation; accepted too' },
  STREAMGATE_JWT_JWKS_URL: { schema: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }), help: 'Key set of the identity provider; cached, rotated' },
  STREAMGATE_JWT_ISSUER: { schema: z.string().min(1), help: '`iss` that a token must have' },
  STREAMGATE_JWT_AUDIENCE: { schema: z.string().min(1), help: '`aud` that a token must have' },
  STREAMGATE_JWT_USER_CLAIM: { schema: names, default: 'sub,userId,id,_id', help: 'Claims that may hold the user id, first found wins; dotted paths' },
  STREAMGATE_JWT_USERNAME_CLAIM: { schema: names, default: 'username,preferred_username,name', help: 'Claims that may hold the user name; else the user id' },
  STREAMGATE_JWT_ROLES_CLAIM: { schema: names, default: 'roles,role', help: 'Claims that may hold the roles: array, or text separated by spaces or commas' },
  STREAMGATE_JWT_LEEWAY_SECONDS: { schema: whole(0, 300), default: '5', help: 'Clock skew allowed for `exp` and `nbf`' },
  STREAMGATE_TOKEN_GRACE_SECONDS: { schema: whole(0, 3600), default: '30', help: 'Time after expiry in which a connected client may refresh its token' },
  STREAMGATE_REDIS_URL: { schema: z.string().regex(/^(redis|rediss|redis\+sentinel|rediss\+sentinel):\/\//, 'must be redis://, rediss:// or redis+sentinel://'), secret: true, help: '`redis://[user:password@]host:port/db`, `rediss://` for TLS, `redis+sentinel://[user:password@]host:port,host:port/master/db`' },
  STREAMGATE_REDIS_PREFIX: { schema: z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores'), default: 'streamgate', help: 'Begins every name in Redis; two deployments with different prefixes do not meet' },
  STREAMGATE_BACKPLANE: { schema: z.enum(['memory', 'streams', 'pubsub']), help: '`streams` with a Redis URL, else `memory`; or `pubsub`' },
  STREAMGATE_REDIS_TIMEOUT_MS: { schema: whole(10, 60_000), default: '500', help: 'A publish that takes longer is treated as Redis away' },
  STREAMGATE_READY_WITHOUT_REDIS: { schema: flag, default: 'true', help: '`false`: readiness answers 503 while Redis is away' },
  STREAMGATE_CHAT: { schema: z.enum(['auto', 'false']), default: 'auto', help: 'The `/chat` namespace; not in this version yet: `/chat` is refused with `chat_disabled`' },
  STREAMGATE_RECOVERY_SECONDS: { schema: whole(0, 86_400), default: '120', help: 'How long a lost session can be continued; 0 = not at all' },
  STREAMGATE_OFFLINE_SECONDS: { schema: whole(0, 3600), default: '10', help: 'How long a user whose transport was lost still counts as online' },
  STREAMGATE_ANNOUNCE_MAX_USERS: { schema: whole(0, 10_000_000), default: '1000', help: 'Above so many users online, nobody is told of who comes and goes' },
  STREAMGATE_EMIT_ROLES: { schema: names, default: 'admin,service', help: 'Roles that may emit through REST; `*` = any valid token' },
  STREAMGATE_PRESENCE_ROLES: { schema: names, default: '*', help: 'Roles that may list who is connected' },
  STREAMGATE_ROOM_RULES: { schema: RoomRules, help: 'JSON list of rules: who may join which rooms; first match decides' },
  STREAMGATE_CORS_ORIGINS: { schema: names, help: 'Origins that browsers may connect from; `*` = any. None in production, any in development' },
  STREAMGATE_TRUSTED_PROXIES: { schema: names, help: 'Addresses, networks or `loopback`, `linklocal`, `uniquelocal`, whose X-Forwarded-For is believed' },
  STREAMGATE_DRAIN_SECONDS: { schema: whole(0, 86_400), default: '60', help: 'Over how long a drain spreads the closing of sessions' },
  STREAMGATE_DRAIN_NOTICE: { schema: flag, default: 'false', help: 'Tell clients `draining {withinMs}` when a drain begins' },
  STREAMGATE_PING_INTERVAL_MS: { schema: whole(100, 3_600_000), default: '25000', help: 'Engine.IO heartbeat' },
  STREAMGATE_PING_TIMEOUT_MS: { schema: whole(100, 3_600_000), default: '20000', help: 'Without a pong for so long the session is lost' },
  STREAMGATE_PER_MESSAGE_DEFLATE: { schema: flag, default: 'false', help: 'Compress WebSocket messages; costs memory and CPU for each session' },
  STREAMGATE_MAX_SESSIONS: { schema: whole(1, 10_000_000), default: '50000', help: 'Of this node' },
  STREAMGATE_MAX_SESSIONS_PER_USER: { schema: whole(1, 1_000_000), default: '100', help: 'Cluster-wide' },
  STREAMGATE_MAX_SESSIONS_PER_ADDRESS: { schema: whole(1, 10_000_000), default: '10000', help: 'Of this node; an IPv6 address counts by its /64' },
  STREAMGATE_CONNECTS_PER_SECOND: { schema: whole(1, 1_000_000), default: '1000', help: 'Handshakes that this node admits' },
  STREAMGATE_ROOMS_PER_SESSION: { schema: whole(0, 100_000), default: '100', help: 'Rooms that a session may join by itself' },
  STREAMGATE_EVENTS_PER_SECOND: { schema: whole(1, 1_000_000), default: '50', help: 'Of a session, on average' },
  STREAMGATE_EVENTS_BURST: { schema: whole(1, 1_000_000), default: '200', help: 'Of a session, at once' },
  STREAMGATE_BYTES_PER_SECOND: { schema: whole(KIB, 1024 * KIB * KIB), default: String(512 * KIB), help: 'Of a session, on average, incoming; its burst is four seconds of it' },
  STREAMGATE_MAX_PAYLOAD_BYTES: { schema: whole(KIB, 100 * KIB * KIB), default: String(100 * KIB), help: 'Largest packet of a client, and largest REST body' },
  STREAMGATE_MAX_BUFFERED_BYTES: { schema: whole(16 * KIB, 1024 * KIB * KIB), default: String(KIB * KIB), help: 'Unsent bytes after which a slow session is ended' },
  STREAMGATE_AUTH_ERROR_EVENT: { schema: flag, default: 'false', help: "Document 5's clients: send a refused client `error` before closing" },
  STREAMGATE_ALLOW_EIO3: { schema: flag, default: 'false', help: 'Accept socket.io-client 2' },
  STREAMGATE_ADMIN_TOKEN: { schema: z.string().min(16, 'must be at least 16 characters'), secret: true, help: 'Bearer token for `/admin/*` from other than loopback' },
} as const satisfies Record<string, Variable>;

type Name = keyof typeof VARIABLES;
type Value<N extends Name> = z.output<(typeof VARIABLES)[N]['schema']> | ((typeof VARIABLES)[N] extends { default: string } ? never : undefined);

/** Names of the contract whose part of the product is not in this version. */
const LATER: Record<string, string> = {
  STREAMGATE_DATABASE_URL: 'chat',
  STREAMGATE_DATA_DIR: 'chat',
  STREAMGATE_INSECURE_QUERY_USER: 'chat',
  STREAMGATE_TCP_PORT: 'the TCP door',
  STREAMGATE_TCP_HOST: 'the TCP door',
  STREAMGATE_KAFKA_BROKERS: 'the Kafka door',
  STREAMGATE_KAFKA_TOPIC_PREFIX: 'the Kafka door',
  STREAMGATE_STREAM_PARTITIONS: 'the stream door',
  STREAMGATE_IDEMPOTENCY_SECONDS: 'the stream door',
  STREAMGATE_COMMAND_MAX_BYTES: 'the stream door',
  STREAMGATE_EVENTS_OUT: 'the outbound stream',
};

/** Kubernetes injects these into pods beside a Service called streamgate. */
const INJECTED = /^STREAMGATE_(SERVICE_\w+|PORT|PORT_\w+)$/;

type Camel<S extends string> = S extends `${infer H}_${infer T}` ? `${Lowercase<H>}${Capitalize<Camel<T>>}` : Lowercase<S>;
type Key<N extends Name> = N extends `STREAMGATE_${infer Rest}` ? Camel<Rest> : never;

/** The effective configuration: `STREAMGATE_MAX_SESSIONS` is `config.maxSessions`, and so on. */
export type Config = Readonly<
  { [N in Name as Key<N>]: Value<N> } & {
    backplane: 'memory' | 'streams' | 'pubsub';
    corsOrigins: readonly string[];
    roomRules: z.output<typeof RoomRules>;
    trustedProxies: readonly string[];
  }
>;

/** Every fault of the configuration in one message, for people: no stack trace wanted. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  - ${fault}`).join('\n')}\nSee docs/configuration.md, or run \`make config\`.`);
    this.faults = faults;
  }
}

/**
 * Reads and checks the environment.
 * @throws ConfigError that lists every fault at once
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const faults: string[] = [];
  const texts = readTexts(env, faults);
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries<Variable>(VARIABLES)) {
    const text = texts.get(name) ?? variable.default;
    if (text === undefined) continue;
    const parsed = variable.schema.safeParse(text);
    if (parsed.success) values[keyOf(name)] = parsed.data;
    else faults.push(...parsed.error.issues.map((issue) => `${name}: ${issue.message}`));
  }
  const config = withDerived(values);
  faults.push(...contradictions(config, texts));
  if (faults.length > 0) throw new ConfigError(faults);
  return deepFreeze(config);
}

/** Collects `<NAME>` and `<NAME>_FILE`, and reports names that nobody knows. */
function readTexts(env: NodeJS.ProcessEnv, faults: string[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('STREAMGATE_') || text === undefined || text === '') continue;
    const base = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : name;
    if (base in VARIABLES) {
      if (base === name) {
        if (env[`${name}_FILE`]) faults.push(`${name}: set it or ${name}_FILE, not both`);
        texts.set(name, text);
      } else readInto(texts, base, text, faults);
    } else if (base in LATER) faults.push(`${name}: ${LATER[base]} is not in this version`);
    else if (!INJECTED.test(name)) faults.push(`${name}: unknown name${didYouMean(base)}`);
  }
  return texts;
}

function readInto(texts: Map<string, string>, name: string, path: string, faults: string[]): void {
  try {
    texts.set(name, readFileSync(path, 'utf8').trim());
  } catch (error) {
    faults.push(`${name}_FILE: cannot read the file (${(error as NodeJS.ErrnoException).code})`);
  }
}

function withDerived(values: Record<string, unknown>): Config {
  const config = values as Record<keyof Config, unknown>;
  config.backplane ??= config.redisUrl ? 'streams' : 'memory';
  config.corsOrigins ??= config.mode === 'development' ? ['*'] : [];
  config.roomRules ??= [];
  config.trustedProxies ??= [];
  return config as Config;
}

/** What no single variable can know. */
function contradictions(config: Config, texts: Map<string, string>): string[] {
  const faults: string[] = [];
  if (config.mode === 'production') {
    if (!config.jwtSecret && !config.jwtPublicKey && !config.jwtJwksUrl)
      faults.push('STREAMGATE_JWT_SECRET, STREAMGATE_JWT_PUBLIC_KEY or STREAMGATE_JWT_JWKS_URL: one is needed, else nobody could be let in');
    for (const name of ['STREAMGATE_JWT_SECRET', 'STREAMGATE_JWT_SECRET_PREVIOUS'])
      if (texts.has(name) && Buffer.byteLength(texts.get(name) ?? '') < 32)
        faults.push(`${name}: production wants at least 32 bytes`);
  }
  if (texts.has('STREAMGATE_BACKPLANE') && config.backplane !== 'memory' && !config.redisUrl)
    faults.push(`STREAMGATE_BACKPLANE: ${config.backplane} needs STREAMGATE_REDIS_URL`);
  if (config.eventsBurst < config.eventsPerSecond)
    faults.push('STREAMGATE_EVENTS_BURST: must be at least STREAMGATE_EVENTS_PER_SECOND');
  return faults;
}

function keyOf(name: string): string {
  return name
    .slice('STREAMGATE_'.length)
    .toLowerCase()
    .replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function didYouMean(name: string): string {
  const parts = new Set(name.split('_'));
  const likeness = (other: string) => other.split('_').filter((part) => parts.has(part)).length / Math.max(parts.size, other.split('_').length);
  const [best] = Object.keys(VARIABLES).sort((a, b) => likeness(b) - likeness(a));
  return best && likeness(best) > 0.5 ? `, did you mean ${best}?` : '';
}

function deepFreeze<T>(value: T): T {
  if (value && typeof value === 'object') {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}

/** Effective values by variable name, secrets masked, for `make config`. */
export function printable(config: Config): Record<string, string> {
  const lines: Record<string, string> = {};
  for (const [name, variable] of Object.entries<Variable>(VARIABLES)) {
    const value = (config as Record<string, unknown>)[keyOf(name)];
    lines[name] = value === undefined ? '' : variable.secret ? '********' : typeof value === 'string' ? value : Array.isArray(value) && value.every((item) => typeof item === 'string') ? value.join(',') : JSON.stringify(value);
  }
  return lines;
}
