import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { chat } from './config-chat.js';
import type { Variable } from './config-values.js';
import { VARIABLES } from './config-variables.js';

/** The only reader of the environment: every variable as it stands, checked and frozen. */

type Name = keyof typeof VARIABLES;
type Value<N extends Name> =
  | z.output<(typeof VARIABLES)[N]['schema']>
  | ((typeof VARIABLES)[N] extends { default: string } ? never : undefined);
type Camel<S extends string> = S extends `${infer H}_${infer T}`
  ? `${Lowercase<H>}${Capitalize<Camel<T>>}`
  : Lowercase<S>;
type Key<N extends Name> = N extends `STREAMGATE_${infer Rest}` ? Camel<Rest> : never;

/** The effective configuration: `STREAMGATE_MAX_SESSIONS` is `config.maxSessions`, and so on. */
export type Config = Readonly<
  Omit<
    { [N in Name as Key<N>]: Value<N> },
    'backplane' | 'chat' | 'console' | 'corsOrigins' | 'roomRules' | 'trustedProxies'
  > & {
    backplane: Exclude<Value<'STREAMGATE_BACKPLANE'>, undefined>;
    /** What `auto` comes to, too. */
    chat: 'on' | 'off';
    console: 'on' | 'off';
    corsOrigins: readonly string[];
    roomRules: Exclude<Value<'STREAMGATE_ROOM_RULES'>, undefined>;
    trustedProxies: readonly string[];
  }
>;

/** Every fault of the configuration in one message, for people: no stack trace wanted. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** One line each: the variable and what is wrong with it, never its value. */
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
    const lines = faults.map((fault) => `  - ${fault}`).join('\n');
    super(`The configuration has ${count}:\n${lines}\nSee docs/configuration.md.`);
    this.faults = faults;
  }
}

/**
 * Reads and checks the environment.
 * @throws ConfigError that lists every fault at once
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const faults: string[] = [];
  const given = givenTexts(env, faults);
  const config = withDerived(parsedValues(VARIABLES, given, faults));
  faults.push(...contradictions(config, given));
  if (faults.length > 0) throw new ConfigError(faults);
  return deepFreeze(config);
}

/**
 * Whether spans have somewhere to go, by the standard variables of OpenTelemetry, which its SDK reads
 * itself (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
 * @returns undefined: nobody traces
 */
export function readTracingConfig(
  env: NodeJS.ProcessEnv = process.env,
): { serviceName?: string; share?: number } | undefined {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const isOff = env.OTEL_SDK_DISABLED === 'true' || env.OTEL_TRACES_EXPORTER === 'none';
  if (!endpoint || isOff) return undefined;
  const share = Number(env.OTEL_TRACES_SAMPLER_ARG?.trim() || 1);
  const isShare =
    env.OTEL_TRACES_SAMPLER === 'parentbased_traceidratio' && share >= 0 && share <= 1;
  return {
    ...(!env.OTEL_SERVICE_NAME && { serviceName: 'streamgate' }),
    ...(isShare && { share }),
  };
}

/** What a program that only reaches the database has to be told: no key to check tokens with. */
export type DatabaseConfig = Pick<
  Config,
  | 'databaseUrl'
  | 'databasePool'
  | 'databaseTimeoutMs'
  | 'databaseConnectTimeoutMs'
  | 'databaseIdleMs'
  | 'dataDir'
>;

/**
 * As `readConfig`, for what concerns the database.
 * @throws ConfigError that lists every fault at once
 */
export function readDatabaseConfig(env: NodeJS.ProcessEnv = process.env): DatabaseConfig {
  const faults: string[] = [];
  const given = givenTexts(env, faults);
  const { STREAMGATE_HTTP_PORT } = VARIABLES;
  const config = withDerived(parsedValues({ ...chat, STREAMGATE_HTTP_PORT }, given, faults));
  if (faults.length > 0) throw new ConfigError(faults);
  return deepFreeze(config);
}

function parsedValues(
  variables: Readonly<Record<string, Variable>>,
  given: ReadonlyMap<string, string>,
  faults: string[],
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries(variables)) {
    const text = given.get(name) ?? variable.default;
    if (text === undefined) continue;
    const parsed = variable.schema.safeParse(text);
    if (parsed.success) values[configKey(name)] = parsed.data;
    else faults.push(...parsed.error.issues.map((issue) => `${name}: ${issue.message}`));
  }
  return values;
}

/** Collects `<NAME>` and `<NAME>_FILE`, and reports names that nobody knows. An empty text is none. */
function givenTexts(env: NodeJS.ProcessEnv, faults: string[]): Map<string, string> {
  const given = new Map<string, string>();
  for (const [name, text = ''] of Object.entries(env)) {
    if (!name.startsWith('STREAMGATE_') || isInjected(name, text)) continue;
    const base = name.replace(/_FILE$/, '');
    if (!(base in VARIABLES)) faults.push(`${name}: unknown name${didYouMean(base)}`);
    else if (text === '') continue;
    else if (base === name) given.set(name, text);
    else if (env[base]) faults.push(`${base}: set it or ${name}, not both`);
    else readInto(given, base, text, faults);
  }
  return given;
}

function readInto(given: Map<string, string>, name: string, path: string, faults: string[]): void {
  try {
    // Editors and `kubectl create secret --from-file` leave a line end that belongs to nobody.
    const text = readFileSync(path, 'utf8').replace(/[\r\n]+$/, '');
    if (text === '') faults.push(`${name}_FILE: the file is empty`);
    given.set(name, text);
  } catch (error) {
    faults.push(`${name}_FILE: cannot read the file (${(error as NodeJS.ErrnoException).code})`);
    given.set(name, '');
  }
}

/**
 * What Kubernetes puts into pods beside Services called streamgate or streamgate-something, among
 * it `STREAMGATE_HTTP_PORT=tcp://10.0.0.7:80` (kubernetes.io, "Accessing Services: environment
 * variables").
 */
function isInjected(name: string, text: string): boolean {
  if (/^STREAMGATE_(\w+_)?PORT$/.test(name)) return /^(tcp|udp|sctp):\/\//.test(text);
  return /^STREAMGATE_(SERVICE_\w+|PORT_\w+|\w+_SERVICE_(HOST|PORT\w*)|\w+_PORT_\d+_(TCP|UDP|SCTP)\w*)$/.test(
    name,
  );
}

function withDerived(values: Record<string, unknown>): Config {
  const config = values as Record<keyof Config, unknown>;
  config.backplane ??= config.redisUrl ? 'mailbox' : 'memory';
  if (config.console === 'auto') config.console = config.mode === 'development' ? 'on' : 'off';
  config.corsOrigins ??= config.mode === 'development' ? ['*'] : [];
  if (config.chat === 'auto') config.chat = chatByDefault(config as Config);
  if (config.httpPort !== 0) config.dataDir ??= `.streamgate/chat-${String(config.httpPort)}`;
  config.roomRules ??= [];
  config.trustedProxies ??= [];
  return config as Config;
}

/**
 * `auto`: on where it can be, and a node with Redis may be one of several, which must not each have
 * a database of its own.
 */
function chatByDefault({ databaseUrl, mode, redisUrl }: Config): Config['chat'] {
  return databaseUrl || (mode === 'development' && !redisUrl) ? 'on' : 'off';
}

const KEYS = ['STREAMGATE_JWT_SECRET', 'STREAMGATE_JWT_PUBLIC_KEY', 'STREAMGATE_JWT_JWKS_URL'];

/** What no single variable can know. A value that is itself at fault is missing here. */
function contradictions(config: Config, given: ReadonlyMap<string, string>): string[] {
  const faults: string[] = [];
  if (config.mode === 'production') {
    if (!KEYS.some((name) => given.has(name)))
      faults.push(`${KEYS.join(' or ')}: production needs one to check tokens with`);
    for (const name of ['STREAMGATE_JWT_SECRET', 'STREAMGATE_JWT_SECRET_PREVIOUS']) {
      const secret = given.get(name);
      if (secret && Buffer.byteLength(secret) < 32)
        faults.push(`${name}: production wants at least 32 bytes`);
    }
    if (config.insecureQueryUser)
      faults.push('STREAMGATE_INSECURE_QUERY_USER: refused in production');
  }
  if (config.chat === 'on' && !given.has('STREAMGATE_DATABASE_URL') && config.redisUrl)
    faults.push(
      'STREAMGATE_CHAT: with Redis there may be several nodes, which need one database: set STREAMGATE_DATABASE_URL',
    );
  if (config.backplane !== 'memory' && !given.has('STREAMGATE_REDIS_URL'))
    faults.push(`STREAMGATE_BACKPLANE: ${config.backplane} needs STREAMGATE_REDIS_URL`);
  if (config.eventsOut && config.backplane === 'memory')
    faults.push('STREAMGATE_EVENTS_OUT: needs STREAMGATE_REDIS_URL and a backplane over it');
  const login = [config.kafkaSaslMechanism, config.kafkaSaslUsername, config.kafkaSaslPassword];
  if (new Set(login.map((value) => value === undefined)).size > 1)
    faults.push('STREAMGATE_KAFKA_SASL_MECHANISM: needs a user name and a password, and they it');
  if (config.kafkaCa && !config.kafkaTls)
    faults.push('STREAMGATE_KAFKA_CA: needs STREAMGATE_KAFKA_TLS');
  if (config.eventsBurst < config.eventsPerSecond)
    faults.push('STREAMGATE_EVENTS_BURST: must be at least STREAMGATE_EVENTS_PER_SECOND');
  if ((config.tcpTlsKey === undefined) !== (config.tcpTlsCert === undefined))
    faults.push('STREAMGATE_TCP_TLS_KEY: goes together with STREAMGATE_TCP_TLS_CERT');
  if (config.httpPort !== 0 && config.httpPort === config.managementPort)
    faults.push('STREAMGATE_MANAGEMENT_PORT: must differ from STREAMGATE_HTTP_PORT');
  return faults;
}

/** `STREAMGATE_MAX_SESSIONS` -> `maxSessions`. */
export function configKey(name: string): string {
  return name
    .slice('STREAMGATE_'.length)
    .toLowerCase()
    .replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** The known name that has most of the pairs of letters of `name`, the first of several, when it is near. */
function didYouMean(name: string): string {
  const ours = letterPairs(name);
  let best = '';
  let bestLikeness = 0.5;
  for (const known of Object.keys(VARIABLES)) {
    const theirs = letterPairs(known);
    const likeness = [...ours].filter((pair) => theirs.has(pair)).length / ours.size;
    if (likeness > bestLikeness) [best, bestLikeness] = [known, likeness];
  }
  return best && `, did you mean ${best}?`;
}

function letterPairs(name: string): Set<string> {
  const word = name.slice('STREAMGATE_'.length);
  return new Set(
    Array.from({ length: Math.max(word.length - 1, 0) }, (_, i) => word.slice(i, i + 2)),
  );
}

function deepFreeze<T>(value: T): T {
  if (value && typeof value === 'object') {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
