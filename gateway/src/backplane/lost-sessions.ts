import { type BroadcastFlags, MessageType } from 'socket.io-adapter';
import { toGatewayError } from '@streamgate/protocol/errors';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import type { LostSession } from './backplane.js';
import { type Persisted, isAddressed, lostSession } from './local-adapters.js';
import type { redisKeys } from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import { roomKey } from './room-key.js';
import { type StreamReader, isBefore } from './stream-reader.js';

/** Entries read at once while looking for what a session missed. */
const PAGE = 500;

type Entry = [id: string, fields: string[]];

interface Missed {
  readonly id: string;
  readonly data: unknown[];
}

/** Fields of an entry that holds an event -> the event. */
export type Decode = (fields: Record<string, string>) => {
  data: {
    packet: { data: unknown[] };
    opts: { rooms: string[]; except: string[]; flags?: BroadcastFlags };
  };
};

/** Lost sessions in Redis, and what the stream has for them. */
export class LostSessions {
  /** @param keepMs how long a lost session can come back */
  constructor(
    private readonly link: RedisLink,
    private readonly reader: StreamReader,
    private readonly keys: Pick<ReturnType<typeof redisKeys>, 'stream' | 'lostSession'>,
    private readonly keepMs: number,
  ) {}

  /** Remembers a session that was lost. While Redis is away it cannot come back. */
  persist(namespace: string, session: Persisted): void {
    const key = this.keys.lostSession(namespace, session.pid);
    const text = JSON.stringify(lostSession(session));
    this.link
      .call((redis) => redis.set(key, text, 'PX', this.keepMs))
      .catch(() => metrics.adapterFaults.add());
  }

  async claim(namespace: string, pid: string): Promise<LostSession | undefined> {
    try {
      const text = await this.link.call((redis) =>
        redis.getdel(this.keys.lostSession(namespace, pid)),
      );
      return text === null ? undefined : (JSON.parse(text) as LostSession);
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'a lost session cannot be asked for');
      return undefined;
    }
  }

  /**
   * What the session missed up to what this node has delivered by now; all behind that is delivered
   * live. The last look at the reader's position and the return are one step.
   * @param decode of the stock adapter
   */
  async missed(
    namespace: string,
    lost: LostSession,
    offset: string,
    rooms: readonly string[],
    decode: Decode,
  ): Promise<unknown[][] | undefined> {
    if (!/^\d{1,16}-\d{1,16}$/.test(offset)) return undefined;
    const keys = [lost.id, ...rooms.map(roomKey)];
    const found: Missed[] = [];
    try {
      let last = offset;
      for (let first = true; ; first = false) {
        const positionBefore = this.reader.position!;
        const page = await this.page(first ? offset : `(${last}`);
        if (first && page.shift()?.[0] !== offset) return undefined;
        for (const [id, fields] of page) {
          last = id;
          const data = missedEvent(namespace, keys, id, fields, decode);
          if (data) found.push({ id, data });
        }
        const position = this.reader.position!;
        // At the end without reaching the position: it was one of a stream that is no more.
        const ended = page.length < PAGE - 1 && position === positionBefore;
        if (ended || !isBefore(last, position))
          return found.filter(({ id }) => !isBefore(position, id)).map(({ data }) => data);
      }
    } catch (error) {
      log.debug({ code: toGatewayError(error).code }, 'a lost session cannot be continued');
      return undefined;
    }
  }

  private page(start: string): Promise<Entry[]> {
    return this.link.call(
      (redis) => redis.xrange(this.keys.stream, start, '+', 'COUNT', PAGE) as Promise<Entry[]>,
    );
  }
}

/** Name, arguments and offset of an entry, if a session in these rooms would have been sent it. */
function missedEvent(
  namespace: string,
  keys: readonly string[],
  id: string,
  fields: readonly string[],
  decode: Decode,
): unknown[] | undefined {
  const entry: Record<string, string> = {};
  for (let index = 0; index < fields.length; index += 2) entry[fields[index]!] = fields[index + 1]!;
  if (entry.nsp !== namespace || entry.type !== String(MessageType.BROADCAST)) return undefined;
  const { packet, opts } = decode(entry).data;
  const addressed = { rooms: new Set(opts.rooms), except: new Set(opts.except) };
  if (opts.flags?.volatile || !isAddressed(keys, addressed)) return undefined;
  return [...packet.data, id];
}
