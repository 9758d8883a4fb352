import { Redis, type RedisOptions } from 'ioredis';

/**
 * Where Redis is: a URL, options of ioredis, or a client of yours to take the options from (it is
 * duplicated, never used, since writing needs settings of its own).
 */
export type RedisLocation = string | ConnectionOptions | Redis;
/** Without the shape of replies, which is part of the client's own type. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2000;
/** A connection that is silent for so long after a command is given up, as half-open ones are. */
const SILENT_MS = 15_000;

/** What makes a write happen once: no queue that hides an outage, nothing repeated unasked. */
const SETTINGS: ConnectionOptions = {
  connectionName: 'streamgate-emitter',
  disableClientInfo: true,
  // The names of the contract are whole.
  keyPrefix: '',
  lazyConnect: false,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  socketTimeout: SILENT_MS,
  retryStrategy: backoff,
  // A primary that became a replica refuses writes: connect again, to whoever is the primary now.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
};

/**
 * A connection that comes back by itself; whoever takes it disconnects it.
 * @throws TypeError for a URL that ioredis does not know
 * @param onError every failure of the connection; ioredis prints those that nobody hears
 */
export function connect(location: RedisLocation, onError: (error: Error) => void): Redis {
  if (typeof location === 'string' && !/^rediss?:\/\//.test(location))
    throw new TypeError('redis is a redis:// or rediss:// URL; Sentinel needs options of ioredis');
  const redis = isClient(location)
    ? location.duplicate(SETTINGS)
    : typeof location === 'string'
      ? new Redis(location, SETTINGS)
      : new Redis({ ...location, ...SETTINGS });
  redis.on('error', onError);
  return redis;
}

/**
 * Resolves when the connection can be written to, when the signal says that it no longer matters, or
 * after this long.
 */
export async function untilReady(
  redis: Redis,
  signal: AbortSignal,
  atMostMs: number,
): Promise<void> {
  if (redis.status === 'ready' || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, atMostMs);
    function done(): void {
      clearTimeout(timer);
      redis.off('ready', done);
      signal.removeEventListener('abort', done);
      resolve();
    }
    redis.on('ready', done);
    signal.addEventListener('abort', done);
  });
}

/** Refusals that pass, as those that wait for memory or a primary. */
const PASSING = /^(OOM|READONLY|LOADING|BUSY|MASTERDOWN|NOREPLICAS|MISCONF|TRYAGAIN|CLUSTERDOWN)\b/;

/** Whether Redis answered, and will answer the same tomorrow: no permission, not a stream. */
export function isRefusal(error: Error): boolean {
  return error.name === 'ReplyError' && !PASSING.test(error.message);
}

/** Milliseconds before the next try: longer each time, and never the same in two services. */
export function backoff(attempt: number): number {
  const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.ceil(longest * (0.5 + Math.random() / 2));
}

// By what it can do: the service may have another copy of ioredis.
function isClient(location: RedisLocation): location is Redis {
  return typeof location === 'object' && 'duplicate' in location;
}
