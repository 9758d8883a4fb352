import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { renderConfigTable } from './config-docs.js';
import { printable } from './config-print.js';
import { SUBJECTS, VARIABLES } from './config-variables.js';
import { ConfigError, configKey, readConfig, readDatabaseConfig } from './config.js';

const folder = mkdtempSync(join(tmpdir(), 'streamgate-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SECRET = 'a secret of at least thirty-two bytes';
const development = { STREAMGATE_MODE: 'development' };
const production = { STREAMGATE_JWT_SECRET: SECRET };

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function faultsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

const { publicKey, privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const weak = generateKeyPairSync('rsa', {
  modulusLength: 1024,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

describe('defaults', () => {
  it('are those of the contract', () => {
    expect(readConfig(production)).toMatchObject({
      mode: 'production',
      httpPort: 3000,
      managementPort: 9464,
      tokenGraceSeconds: 30,
      pageSize: 100,
      redisPrefix: 'streamgate',
      backplane: 'memory',
      redisTimeoutMs: 500,
      readyWithoutRedis: true,
      chat: 'off',
      dataDir: '.streamgate/chat-3000',
      databasePool: 10,
      databaseTimeoutMs: 3000,
      insecureQueryUser: false,
      recoverySeconds: 120,
      offlineSeconds: 10,
      announceMaxUsers: 1000,
      emitRoles: ['admin', 'service'],
      presenceRoles: ['*'],
      roomRules: [],
      corsOrigins: [],
      drainSeconds: 60,
      pingIntervalMs: 25_000,
      pingTimeoutMs: 20_000,
      maxSessions: 50_000,
      maxSessionsPerUser: 100,
      maxSessionsPerAddress: 10_000,
      connectsPerSecond: 1000,
      roomsPerSession: 100,
      trustedProxies: [],
      eventsPerSecond: 50,
      eventsBurst: 200,
      maxPayloadBytes: 102_400,
      maxBufferedBytes: 1_048_576,
      authErrorEvent: false,
      allowEio3: false,
      jwtUserClaim: ['sub', 'userId', 'id', '_id'],
      jwtUsernameClaim: ['username', 'preferred_username', 'name'],
      jwtRolesClaim: ['roles', 'role'],
    });
  });

  it('are themselves valid', () => {
    for (const [name, variable] of Object.entries(VARIABLES)) {
      const fallback = (variable as { default?: string }).default;
      if (fallback !== undefined)
        expect(variable.schema.safeParse(fallback).success, name).toBe(true);
    }
  });

  it('use Redis when it is named, and any origin in development', () => {
    const config = readConfig({ ...development, STREAMGATE_REDIS_URL: 'redis://localhost' });
    expect(config).toMatchObject({ backplane: 'mailbox', corsOrigins: ['*'] });
  });
});

describe('a value that is wrong is named with what it must be', () => {
  it.each([
    ['STREAMGATE_MODE', 'test', 'must be production or development'],
    ['STREAMGATE_HTTP_PORT', '65536', 'must be at most 65535'],
    ['STREAMGATE_HTTP_PORT', ' ', 'must be a whole number'],
    ['STREAMGATE_HTTP_PORT', '0x50', 'must be a whole number'],
    ['STREAMGATE_HTTP_PORT', '80.5', 'must be a whole number'],
    ['STREAMGATE_DRAIN_SECONDS', '-1', 'must be a whole number'],
    ['STREAMGATE_EVENTS_PER_SECOND', '0', 'must be at least 1'],
    ['STREAMGATE_LOG_LEVEL', 'loud', 'must be fatal, error, warn, info, debug or silent'],
    ['STREAMGATE_ALLOW_EIO3', 'yes', 'must be true or false'],
    ['STREAMGATE_EMIT_ROLES', ' , ', 'must name at least one'],
    ['STREAMGATE_JWT_PUBLIC_KEY', 'abc', 'not a public key in PEM form'],
    ['STREAMGATE_JWT_PUBLIC_KEY', privateKey, 'this is a private key, a public one is wanted'],
    ['STREAMGATE_JWT_JWKS_URL', 'ftp://x/keys', 'must be an http(s) URL'],
    ['STREAMGATE_REDIS_URL', 'localhost:6379', 'must be redis://, rediss:// or redis+sentinel://'],
    [
      'STREAMGATE_REDIS_URL',
      'redis+cluster://h',
      'a Redis Cluster is not supported in this version',
    ],
    [
      'STREAMGATE_REDIS_PREFIX',
      'a:b',
      'must be 1 to 64 letters, digits, dots, dashes or underscores',
    ],
    ['STREAMGATE_BACKPLANE', 'redis', 'must be memory, mailbox, streams or pubsub'],
    ['STREAMGATE_BACKPLANE', 'pubsub', 'pubsub needs STREAMGATE_REDIS_URL'],
    ['STREAMGATE_KAFKA_BROKERS', 'kafka', 'must be host:port,host:port'],
    ['STREAMGATE_KAFKA_BROKERS', 'k:9092,http://k:9092', 'must be host:port,host:port'],
    [
      'STREAMGATE_KAFKA_TOPIC_PREFIX',
      'a:b',
      'must be 1 to 64 letters, digits, dots, dashes or underscores',
    ],
    ['STREAMGATE_KAFKA_CA', 'x', 'needs STREAMGATE_KAFKA_TLS'],
    ['STREAMGATE_KAFKA_SASL_MECHANISM', 'GSSAPI', 'must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512'],
    ['STREAMGATE_KAFKA_SASL_MECHANISM', 'PLAIN', 'needs a user name and a password, and they it'],
    [
      'STREAMGATE_EVENTS_OUT',
      'message,logins',
      'must be among message, first_session, last_session, join, leave, push',
    ],
    ['STREAMGATE_EVENTS_OUT', 'message', 'needs STREAMGATE_REDIS_URL and a backplane over it'],
    ['STREAMGATE_ROOM_RULES', '{', 'must be a JSON list of rules'],
    ['STREAMGATE_EVENTS_BURST', '10', 'must be at least STREAMGATE_EVENTS_PER_SECOND'],
    ['STREAMGATE_MANAGEMENT_PORT', '3000', 'must differ from STREAMGATE_HTTP_PORT'],
    ['STREAMGATE_ADMIN_TOKEN', 'short', 'must be at least 16 characters'],
  ])('%s=%s', (name, text, fault) => {
    expect(faultsOf({ ...development, [name]: text })).toEqual([`${name}: ${fault}`]);
  });

  it.each([
    ['STREAMGATE_TRUSTED_PROXIES', '10.0.0.0/33'],
    ['STREAMGATE_TRUSTED_PROXIES', 'proxy.example.com'],
    ['STREAMGATE_CORS_ORIGINS', 'https://app.example.com/'],
    ['STREAMGATE_CORS_ORIGINS', 'app.example.com'],
    ['STREAMGATE_CORS_ORIGINS', 'https://app.example.com:443'],
    ['STREAMGATE_JWT_PUBLIC_KEY', weak.publicKey],
    ['STREAMGATE_REDIS_URL', 'redis://'],
    ['STREAMGATE_REDIS_URL', 'redis://h/name'],
    ['STREAMGATE_REDIS_URL', 'redis+sentinel://h:26379'],
    ['STREAMGATE_ROOM_RULES', '[{"rooms":"a","allow":"some"}]'],
    ['STREAMGATE_CHAT', 'true'],
    ['STREAMGATE_DATABASE_URL', 'mysql://u:p@h/db'],
    ['STREAMGATE_DATABASE_URL', 'postgres://u:p@h'],
    ['STREAMGATE_DATABASE_POOL', '0'],
  ])('%s=%s', (name, text) => {
    expect(faultsOf({ ...development, [name]: text })).toEqual([
      expect.stringMatching(new RegExp(`^${name}: \\S`)),
    ]);
  });

  it.each([
    ['STREAMGATE_REDIS_URL', 'rediss://user:p%40ss@redis.example.com:6380/3'],
    ['STREAMGATE_REDIS_URL', 'redis+sentinel://user:pass@a:26379,b:26379/mymaster/2'],
    ['STREAMGATE_REDIS_URL', 'redis+sentinel://[::1]:26379/mymaster'],
    ['STREAMGATE_DATABASE_URL', 'postgresql://u:p%40ss@db.example.com:5433/chat?sslmode=require'],
    ['STREAMGATE_TRUSTED_PROXIES', 'loopback, 10.0.0.0/8, fd00::/8'],
    [
      'STREAMGATE_CORS_ORIGINS',
      'https://app.example.com,http://localhost:5173,capacitor://localhost',
    ],
    ['STREAMGATE_JWT_PUBLIC_KEY', publicKey],
    ['STREAMGATE_JWT_PUBLIC_KEY', publicKey.replaceAll('\n', '\\n')],
    ['STREAMGATE_ROOM_RULES', '[{"rooms":"course:*","allow":{"claim":"courses","contains":"$1"}}]'],
  ])('%s=%s is right', (name, text) => {
    expect(faultsOf({ ...development, [name]: text })).toEqual([]);
  });
});

describe('production refuses', () => {
  const noKey =
    'STREAMGATE_JWT_SECRET or STREAMGATE_JWT_PUBLIC_KEY or STREAMGATE_JWT_JWKS_URL: production needs one to check tokens with';

  it.each([
    ['no key', {}, [noKey]],
    ['an empty key', { STREAMGATE_JWT_SECRET: '' }, [noKey]],
    [
      'a short secret',
      { STREAMGATE_JWT_SECRET: 'x'.repeat(31) },
      ['STREAMGATE_JWT_SECRET: production wants at least 32 bytes'],
    ],
    [
      'a short previous secret',
      { ...production, STREAMGATE_JWT_SECRET_PREVIOUS: 'x' },
      ['STREAMGATE_JWT_SECRET_PREVIOUS: production wants at least 32 bytes'],
    ],
    [
      'a wrong key, and does not call it missing',
      { STREAMGATE_JWT_PUBLIC_KEY: 'x' },
      ['STREAMGATE_JWT_PUBLIC_KEY: not a public key in PEM form'],
    ],
    [
      'people without a token',
      { ...production, STREAMGATE_INSECURE_QUERY_USER: 'true' },
      ['STREAMGATE_INSECURE_QUERY_USER: refused in production'],
    ],
  ])('%s', (_, env, faults) => {
    expect(faultsOf(env)).toEqual(faults);
  });

  it.each([
    { STREAMGATE_JWT_SECRET: 'ü'.repeat(16) },
    { STREAMGATE_JWT_PUBLIC_KEY: publicKey },
    { STREAMGATE_JWT_JWKS_URL: 'https://id.example.com/keys' },
  ])('but starts with %j', (env) => {
    expect(faultsOf(env)).toEqual([]);
  });
});

describe('chat', () => {
  const url = 'postgres://u:p@db.example.com/chat';
  const redis = { STREAMGATE_REDIS_URL: 'redis://localhost' };

  it.each([
    ['off in production', production, 'off'],
    ['on in development', development, 'on'],
    ['on with a database', { ...production, ...redis, STREAMGATE_DATABASE_URL: url }, 'on'],
    ['off in development with Redis', { ...development, ...redis }, 'off'],
    ['on when asked for', { ...production, STREAMGATE_CHAT: 'on' }, 'on'],
    ['off when asked for', { ...development, STREAMGATE_CHAT: 'off' }, 'off'],
  ])('is %s', (_, env, chat) => {
    expect(readConfig(env).chat).toBe(chat);
  });

  it('has an embedded database for one process only', () => {
    expect(faultsOf({ ...development, ...redis, STREAMGATE_CHAT: 'on' })).toEqual([
      'STREAMGATE_CHAT: with Redis there may be several nodes, which need one database: set STREAMGATE_DATABASE_URL',
    ]);
  });

  it('keeps the embedded database in a folder by port, or in memory on a port that changes', () => {
    const dataDir = (env: NodeJS.ProcessEnv) => readConfig({ ...development, ...env }).dataDir;
    expect(dataDir({ STREAMGATE_HTTP_PORT: '3303' })).toBe('.streamgate/chat-3303');
    expect(dataDir({ STREAMGATE_HTTP_PORT: '0' })).toBeUndefined();
    expect(dataDir({ STREAMGATE_HTTP_PORT: '0', STREAMGATE_DATA_DIR: 'kept' })).toBe('kept');
  });
});

it('of the database is read without a key for tokens', () => {
  const STREAMGATE_DATABASE_URL = 'postgres://u:p@db.example.com/chat';
  const config = readDatabaseConfig({ STREAMGATE_DATABASE_URL, STREAMGATE_HTTP_PORT: '3303' });
  expect(config).toMatchObject({
    databaseUrl: STREAMGATE_DATABASE_URL,
    databasePool: 10,
    dataDir: '.streamgate/chat-3303',
  });
  expect(() => readDatabaseConfig({ STREAMGATE_DATABASE_POOL: 'x' })).toThrow(ConfigError);
});

describe('names', () => {
  it.each([
    ['STREAMGATE_MAX_SESIONS', 'did you mean STREAMGATE_MAX_SESSIONS?'],
    ['STREAMGATE_DRIAN_SECONDS', 'did you mean STREAMGATE_DRAIN_SECONDS?'],
    ['STREAMGATE_REDIS', 'did you mean STREAMGATE_REDIS_URL?'],
    ['STREAMGATE_JWT_SECRETS_FILE', 'did you mean STREAMGATE_JWT_SECRET?'],
    ['STREAMGATE_PORT', 'did you mean STREAMGATE_HTTP_PORT?'],
  ])('%s is unknown', (name, hint) => {
    expect(faultsOf({ ...development, [name]: '3000' })).toEqual([
      `${name}: unknown name, ${hint}`,
    ]);
  });

  it('that resemble nothing get no suggestion, also when empty', () => {
    expect(faultsOf({ ...development, STREAMGATE_XYZ: '' })).toEqual([
      'STREAMGATE_XYZ: unknown name',
    ]);
  });

  it('of others, and what Kubernetes injects, are ignored', () => {
    const injected = {
      STREAMGATE_PORT: 'tcp://10.0.0.7:80',
      STREAMGATE_SERVICE_HOST: '10.0.0.7',
      STREAMGATE_SERVICE_PORT_HTTP: '80',
      STREAMGATE_PORT_80_TCP_ADDR: '10.0.0.7',
      STREAMGATE_HEADLESS_SERVICE_HOST: '10.0.0.8',
      STREAMGATE_HEADLESS_PORT_80_TCP: 'tcp://10.0.0.8:80',
      STREAMGATE_MANAGEMENT_PORT: 'tcp://10.0.0.9:9464',
      PATH: '/bin',
    };
    expect(readConfig({ ...development, ...injected })).toEqual(readConfig(development));
  });
});

describe('<NAME>_FILE', () => {
  it('gives the value without the line end', () => {
    const path = file('secret', `${SECRET}\r\n`);
    expect(readConfig({ STREAMGATE_JWT_SECRET_FILE: path }).jwtSecret).toBe(SECRET);
  });

  it('works for every variable', () => {
    const path = file('port', '4000\n');
    expect(readConfig({ ...development, STREAMGATE_HTTP_PORT_FILE: path }).httpPort).toBe(4000);
  });

  it.each([
    [join(folder, 'absent'), 'cannot read the file (ENOENT)'],
    [folder, 'cannot read the file (EISDIR)'],
    [file('empty', '\n'), 'the file is empty'],
  ])('%s is a fault, and the only one', (path, fault) => {
    expect(faultsOf({ STREAMGATE_JWT_SECRET_FILE: path })).toEqual([
      `STREAMGATE_JWT_SECRET_FILE: ${fault}`,
    ]);
  });

  it('beside the value itself is a fault', () => {
    const path = file('both', SECRET);
    expect(faultsOf({ ...production, STREAMGATE_JWT_SECRET_FILE: path })).toEqual([
      'STREAMGATE_JWT_SECRET: set it or STREAMGATE_JWT_SECRET_FILE, not both',
    ]);
  });
});

it('reports all faults at once, without any value', () => {
  const value = 'hunter2-hunter2';
  const env = {
    STREAMGATE_JWT_SECRET: value,
    STREAMGATE_JWT_PUBLIC_KEY: value,
    STREAMGATE_JWT_JWKS_URL: value,
    STREAMGATE_REDIS_URL: `redis://:${value}@`,
    STREAMGATE_ROOM_RULES: value,
    STREAMGATE_ADMIN_TOKEN: value,
    STREAMGATE_HTTP_PORT: value,
    STREAMGATE_NOT_OURS: value,
  };
  expect(faultsOf(env)).toHaveLength(Object.keys(env).length);
  let message = '';
  try {
    readConfig(env);
  } catch (error) {
    message = (error as Error).message;
  }
  for (const name of Object.keys(env)) expect(message).toContain(`  - ${name}: `);
  expect(message).not.toContain(value);
});

it('is frozen to the bottom', () => {
  const config = readConfig({
    ...production,
    STREAMGATE_ROOM_RULES: '[{"rooms":"a","allow":{"roles":["admin"]}}]',
  });
  expect(() => Object.assign(config, { httpPort: 1 })).toThrow(TypeError);
  expect(() => (config.corsOrigins as string[]).push('x')).toThrow(TypeError);
  expect(() => Object.assign(config.roomRules[0] ?? {}, { allow: 'anyone' })).toThrow(TypeError);
});

describe('printed', () => {
  it.each([
    ['redis://:pass@h:6379/1', 'redis://:********@h:6379/1'],
    ['redis://user:pass@h', 'redis://user:********@h'],
    ['redis://user:pa%40ss@h?password=other', 'redis://user:********@h?********'],
    ['redis://token@h', 'redis://********@h'],
    ['redis://h:6379', 'redis://h:6379'],
    ['redis+sentinel://u:pass@a:1,b:2/m/0', 'redis+sentinel://u:********@a:1,b:2/m/0'],
  ])('%s as %s', (url, shown) => {
    const config = readConfig({ ...development, STREAMGATE_REDIS_URL: url });
    expect(printable(config).STREAMGATE_REDIS_URL).toBe(shown);
  });

  it('no secret, and everything else as it would be written', () => {
    const env = {
      STREAMGATE_JWT_SECRET: SECRET,
      STREAMGATE_JWT_SECRET_PREVIOUS: `${SECRET} before`,
      STREAMGATE_ADMIN_TOKEN: 'an admin token of ours',
      STREAMGATE_DATABASE_URL: 'postgres://u:hunter2@db.example.com/chat',
      STREAMGATE_JWT_JWKS_URL: 'https://user:pass@id.example.com/keys',
      STREAMGATE_EMIT_ROLES: 'admin, service',
      STREAMGATE_ROOM_RULES: '[{"rooms":"a","allow":"anyone"}]',
    };
    const printed = printable(readConfig(env));
    expect(Object.keys(printed)).toEqual(Object.keys(VARIABLES));
    expect(printed).toMatchObject({
      STREAMGATE_JWT_SECRET: '********',
      STREAMGATE_JWT_SECRET_PREVIOUS: '********',
      STREAMGATE_ADMIN_TOKEN: '********',
      STREAMGATE_DATABASE_URL: '********',
      STREAMGATE_JWT_JWKS_URL: 'https://user:********@id.example.com/keys',
      STREAMGATE_EMIT_ROLES: 'admin,service',
      STREAMGATE_ROOM_RULES: '[{"rooms":"a","allow":"anyone"}]',
      STREAMGATE_REDIS_URL: '',
      STREAMGATE_HTTP_PORT: '3000',
      STREAMGATE_ALLOW_EIO3: 'false',
    });
    for (const secret of [SECRET, 'an admin token', 'pass@', 'hunter2'])
      expect(JSON.stringify(printed)).not.toContain(secret);
  });
});

it('is documented, variable by variable, under one subject each', () => {
  const table = renderConfigTable();
  for (const name of Object.keys(VARIABLES)) expect(table).toContain(`| \`${name}\` |`);
  expect(Object.values(SUBJECTS).flatMap((subject) => Object.keys(subject))).toEqual(
    Object.keys(VARIABLES),
  );
});

it.each([
  ['STREAMGATE_MAX_SESSIONS', 'maxSessions'],
  ['STREAMGATE_ALLOW_EIO3', 'allowEio3'],
  ['STREAMGATE_JWT_JWKS_URL', 'jwtJwksUrl'],
])('%s is config.%s', (name, key) => {
  expect(configKey(name)).toBe(key);
});
