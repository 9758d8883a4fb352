import type { Redis, RedisOptions } from 'ioredis';

/**
 * What a connection is for. `command`: everything that is written or asked, refused at once while
 * the connection is down. `reader`: blocking reads. `subscriber`: pub/sub.
 */
export type RedisPurpose = 'command' | 'reader' | 'subscriber';

/** Makes a client that connects by itself; whoever takes it closes it. */
export type RedisConnect = (purpose: RedisPurpose) => Redis;

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2000;
const CONNECT_TIMEOUT_MS = 5000;
const SENTINEL_PORT = 26_379;

/** Without the shape of replies, which is part of the client's own type. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

/** `STREAMGATE_REDIS_URL` as the configuration has checked it -> options of ioredis. */
export function redisOptions(url: string, purpose: RedisPurpose): ConnectionOptions {
  return {
    ...(/^rediss?\+sentinel:/i.test(url) ? sentinel(url) : standalone(url)),
    connectionName: `streamgate-${purpose}`,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disableClientInfo: true,
    retryStrategy: backoff,
    // A primary that became a replica refuses writes: ask again who is the primary.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    ...(purpose === 'subscriber'
      ? { maxRetriesPerRequest: null }
      : {
          // Waiting for Redis in a queue would hide that it is away, and a write whose answer was
          // lost must not be repeated unasked.
          enableOfflineQueue: false,
          autoResendUnfulfilledCommands: false,
          maxRetriesPerRequest: 0,
        }),
  };
}

/** Milliseconds before the next try: longer each time, and never the same on two nodes. */
export function backoff(attempt: number): number {
  const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.ceil(longest * (0.5 + Math.random() / 2));
}

function standalone(text: string): ConnectionOptions {
  const url = new URL(text);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || 6379),
    ...credentials(url.username, url.password),
    db: Number(url.pathname.slice(1) || 0),
    ...(url.protocol === 'rediss:' && { tls: {} }),
  };
}

/** `redis+sentinel://[user:password@]host:port,host:port/master[/db]`: URL knows one host only. */
function sentinel(text: string): ConnectionOptions {
  const [, scheme = '', user = '', password = '', hosts = '', name = '', db = '0'] =
    /^(\w+)\+sentinel:\/\/(?:([^:@]*)(?::([^@]*))?@)?([^/]+)\/([^/]+)(?:\/(\d+))?\/?$/i.exec(
      text,
    ) ?? [];
  return {
    sentinels: hosts.split(',').map((host) => {
      const { hostname, port } = new URL(`redis://${host}`);
      return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || SENTINEL_PORT) };
    }),
    name: decodeURIComponent(name),
    ...credentials(user, password),
    db: Number(db),
    sentinelRetryStrategy: backoff,
    ...(scheme.toLowerCase() === 'rediss' && {
      tls: {},
      enableTLSForSentinelMode: true,
      sentinelTLS: {},
    }),
  };
}

/** Of an ACL user, or the password alone. */
function credentials(user: string, password: string): ConnectionOptions {
  return {
    ...(user && { username: decodeURIComponent(user) }),
    ...(password && { password: decodeURIComponent(password) }),
  };
}
