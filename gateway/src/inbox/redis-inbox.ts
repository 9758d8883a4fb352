import { createHash } from 'node:crypto';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Config } from '../config.js';
import type { RedisLink } from '../backplane/redis-link.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { BROKEN, LOOK, SIZE, TAKE, type InboxLimits, inboxLua } from './inbox-scripts.js';
import type { InboxStore, Look, Page, Taken } from './store.js';

/** Of one inbox at a time, and of all that are looked into with one call. */
const PAGE_EVENTS = 100;
const PAGE_BYTES = 64 * 1024;
const CALL_BYTES = 1024 * 1024;
const CALL_LOOKS = 100;
/** Tags of one call. */
const CALL_TAGS = 1000;

type Answer =
  | [more: number, reached: string, expired: number, dropped: number, ...events: string[]]
  | [broken: typeof BROKEN, why: string];

type Script = 'look' | 'take' | 'size';

/** Inboxes in Redis; the ledgers append to them in the step that sends the event. */
export class RedisInbox implements InboxStore {
  private readonly scripts: Record<Script, { lua: string; sha: string }>;
  private readonly pageBytes: number;

  constructor(
    config: InboxLimits & Pick<Config, 'maxBufferedBytes' | 'redisPrefix'>,
    private readonly link: RedisLink,
  ) {
    const lua = inboxLua(config);
    // A page that waits to be sent must not make its session a slow consumer.
    this.pageBytes = Math.min(PAGE_BYTES, config.maxBufferedBytes / 2);
    this.scripts = {
      look: scriptOf(lua + LOOK),
      take: scriptOf(lua + TAKE),
      size: scriptOf(lua + SIZE),
    };
  }

  async look(looks: readonly Look[]): Promise<(Page | undefined | GatewayError)[]> {
    const pages: (Page | undefined | GatewayError)[] = [];
    for (let begin = 0; begin < looks.length; begin += CALL_LOOKS) {
      const part = looks.slice(begin, begin + CALL_LOOKS);
      const asked = part.flatMap(({ namespace, userId, after }) => [namespace, userId, after]);
      const args = [PAGE_EVENTS, this.pageBytes, CALL_BYTES, ...asked];
      const answers = (await this.run('look', args)) as (Answer | null)[];
      pages.push(...answers.map((answer) => (answer?.length ? pageOf(answer) : undefined)));
    }
    return pages;
  }

  async take(taken: readonly Taken[]): Promise<void> {
    let args: (string | number)[] = [];
    for (const part of partsOf(taken)) {
      const { namespace, userId, what } = part;
      if ('upTo' in what) args.push(namespace, userId, -1, what.upTo);
      else args.push(namespace, userId, what.tags.length, ...what.tags);
      if (args.length < CALL_TAGS) continue;
      await this.takeNow(args);
      args = [];
    }
    if (args.length > 0) await this.takeNow(args);
  }

  async size(): Promise<number> {
    return (await this.run('size')) as number;
  }

  onReturn(listener: () => void): void {
    this.link.onChange(({ up }) => {
      if (up) listener();
    });
  }

  private async takeNow(args: readonly (string | number)[]): Promise<void> {
    const [events, broken] = (await this.run('take', args)) as [number, number];
    metrics.inboxTaken.add('', events);
    if (broken > 0) log.error({ inboxes: broken }, 'cannot take out of inboxes');
  }

  /** @throws GatewayError `backplane_unavailable` */
  private run(name: Script, args: readonly (string | number)[] = []): Promise<unknown> {
    const { lua, sha } = this.scripts[name];
    return this.link.call((redis) =>
      redis.evalsha(sha, 0, ...args).catch((error: Error) => {
        if (!error.message.startsWith('NOSCRIPT')) throw error;
        return redis.eval(lua, 0, ...args);
      }),
    );
  }
}

function scriptOf(lua: string): { lua: string; sha: string } {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** No more tags in one than a call takes. */
function* partsOf(taken: readonly Taken[]): Generator<Taken> {
  for (const each of taken) {
    const { what } = each;
    if ('upTo' in what) yield each;
    else
      for (let begin = 0; begin < what.tags.length; begin += CALL_TAGS)
        yield { ...each, what: { tags: what.tags.slice(begin, begin + CALL_TAGS) } };
  }
}

function pageOf(answer: Answer): Page | GatewayError {
  if (answer[0] === BROKEN && answer.length === 2)
    return new GatewayError('internal', 'Inbox', { cause: new Error(answer[1]) });
  const [more, reached, expired, dropped, ...flat] = answer as Extract<Answer, { 3: number }>;
  metrics.inboxExpired.add('', expired);
  metrics.inboxDropped.add('', dropped);
  const events: { tag: string; payload: string }[] = [];
  for (let index = 0; index < flat.length; index += 2)
    events.push({ tag: flat[index]!, payload: flat[index + 1]! });
  return { events, reached, more: more === 1 };
}
