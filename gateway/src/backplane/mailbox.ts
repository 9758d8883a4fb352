import { type Mailbox, type MailboxMessage, RedisAway, createAdapter } from '@streamgate/adapter';
import { GatewayError } from '@streamgate/protocol/errors';
import { userRoom } from '@streamgate/protocol/rooms';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import type {
  Act,
  Backplane,
  Guard,
  LostSession,
  Notice,
  Publication,
  Relocation,
  SessionData,
} from './backplane.js';
import { LocalAdapters, lostSession, namesOf, optionsOf } from './local-adapters.js';
import type { NoticeBody } from './notices.js';
import { delivered } from './origin.js';
import { RedisBackplane, type RedisConfig } from './redis-backplane.js';
import { redisKeys } from './redis-keys.js';
import { LinkFault } from './redis-link.js';
import type { RedisConnect } from './redis-options.js';
import { roomKey } from './room-key.js';
import type { Session } from './session.js';

type ConnectedAdapter = InstanceType<Mailbox>;
type Claimed = NonNullable<Awaited<ReturnType<Mailbox['claim']>>>;

/** Over `@streamgate/adapter`, our own: a stream for each node, one order, recovery on any node. */
class MailboxBackplane extends RedisBackplane<ConnectedAdapter> {
  readonly kind = 'mailbox';
  readonly recovers: boolean;
  readonly serverOptions: Backplane['serverOptions'];
  protected readonly adapters: LocalAdapters<ConnectedAdapter>;
  private readonly mailbox: Mailbox;
  /** As the adapter knows a claimed session. */
  private readonly claimed = new WeakMap<LostSession, Claimed>();
  /** What the adapter refused: Redis may have taken it nevertheless, and nobody is to get it twice. */
  private readonly refusals = new WeakMap<Publication, RedisAway>();

  constructor(config: RedisConfig, connect: RedisConnect) {
    super(config, connect);
    const keepMs = config.recoverySeconds * 1000;
    this.recovers = keepMs > 0;
    this.mailbox = createAdapter(connect, {
      prefix: redisKeys(config.redisPrefix).mailbox,
      recoverySeconds: config.recoverySeconds,
      timeoutMs: config.redisTimeoutMs,
    });
    // One truth for the registry and the adapter: who came while Redis was away is announced when
    // the announcement can be carried.
    this.link.prepare(async () => {
      if (!this.mailbox.health.up)
        throw new LinkFault('unavailable', 'the adapter is not connected');
    });
    this.mailbox.on('health', ({ up, reason }) => {
      if (!up) this.link.setAway(reason ?? 'connection lost');
    });
    this.mailbox.on('fenced', () =>
      log.warn('cleared away, as dead or too far behind: sessions start anew'),
    );
    this.mailbox.on('fault', (error) => {
      metrics.adapterFaults.add();
      log.error({ err: error }, 'the adapter');
    });
    this.mailbox.on('tagged', (namespace, rooms, tag) =>
      this.listeners.tagged(namespace, rooms.length === 0 ? '*' : namesOf(rooms), tag),
    );
    this.mailbox.on('delivered', delivered);
    this.mailbox.on('notice', (namespace, rooms, body) =>
      this.listeners.notice(
        namespace,
        rooms.length === 0 ? 'nodes' : namesOf(rooms),
        body as NoticeBody,
      ),
    );
    this.adapters = new LocalAdapters(this.listeners, (namespace) => new this.mailbox(namespace));
    this.serverOptions = {
      adapter: this.adapters.factory(),
      ...(this.recovers && {
        connectionStateRecovery: { maxDisconnectionDuration: keepMs, skipMiddlewares: false },
      }),
    };
  }

  override async close(): Promise<void> {
    await this.mailbox.close();
    await super.close();
  }

  override deliverLocally(publication: Publication): void {
    const { namespace, event, args } = publication;
    const refusal = this.refusals.get(publication);
    this.mailbox.deliverLocally(namespace, [event, ...args], targetOf(publication), refusal);
  }

  /** Interest in the rooms is in Redis. */
  override settled(): Promise<void> {
    return this.mailbox.settled();
  }

  relocate(relocation: Relocation): Promise<void> {
    const { namespace, action, target, rooms } = relocationOf(relocation);
    return whileUp(() =>
      action === 'join'
        ? this.mailbox.joinAll(namespace, target, rooms)
        : this.mailbox.leaveAll(namespace, target, rooms),
    );
  }

  async together(acts: readonly Act[], guard: Guard): Promise<unknown> {
    const messages = acts.map(messageOf);
    const { answer } = await whileUp(() => this.mailbox.publishTogether(messages, guard));
    return answer;
  }

  notify(notice: Notice): Promise<void> {
    return whileUp(() => this.mailbox.notify(noticeOf(notice)));
  }

  override get deliveringTag(): string | undefined {
    return this.mailbox.deliveringTag ?? super.deliveringTag;
  }

  caughtUp(): Promise<void> {
    return this.mailbox.caughtUp();
  }

  override save({ namespace, id }: Session): Promise<void> {
    return this.mailbox.save(namespace, id);
  }

  offset(): string | undefined {
    return this.mailbox.position();
  }

  async claim(namespace: string, pid: string): Promise<LostSession | undefined> {
    const lost = await this.mailbox.claim(namespace, pid);
    if (!lost) return undefined;
    const session = { sid: lost.id, rooms: [...lost.rooms], data: lost.data as SessionData };
    const claimed = lostSession(session as never);
    this.claimed.set(claimed, lost);
    return claimed;
  }

  missed(
    namespace: string,
    lost: LostSession,
    offset: string,
    rooms: readonly string[],
  ): Promise<unknown[][] | undefined> {
    const claimed = this.claimed.get(lost)!;
    return this.mailbox.missed(namespace, claimed, offset, [lost.id, ...rooms.map(roomKey)]);
  }

  protected async send(publication: Publication): Promise<string> {
    const { namespace, event, args } = publication;
    // Throws where nobody could ever hear it.
    this.adapters.of(namespace);
    return whileUp(async () => {
      try {
        return await this.mailbox.publish(namespace, [event, ...args], targetOf(publication));
      } catch (error) {
        if (error instanceof RedisAway) this.refusals.set(publication, error);
        throw error;
      }
    });
  }
}

function relocationOf({ namespace, action, users, room }: Relocation) {
  return {
    namespace,
    action,
    target: targetOf({ to: users.map(userRoom) }),
    rooms: [roomKey(room)],
  };
}

function messageOf(act: Act): MailboxMessage {
  if ('action' in act) return relocationOf(act);
  if ('body' in act) return noticeOf(act);
  const { namespace, event, args } = act;
  return { namespace, event: [event, ...args], target: targetOf(act) };
}

function noticeOf({ namespace, to, body }: Notice) {
  return { namespace, rooms: to === 'nodes' ? [] : to.map(roomKey), body };
}

/** Room names -> what the adapter addresses; everyone is no room. */
function targetOf(publication: Parameters<typeof optionsOf>[0]) {
  const { rooms, except, flags } = optionsOf(publication);
  const { volatile = false, tag, context } = flags;
  return {
    rooms: [...rooms],
    except: [...except],
    volatile,
    ...(tag !== undefined && { tag }),
    ...(context !== undefined && { context }),
  };
}

/** @throws GatewayError `backplane_unavailable` when the adapter's Redis is away */
async function whileUp<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof RedisAway)) throw error;
    const cause = new LinkFault(error.outcome, error.message);
    throw new GatewayError('backplane_unavailable', undefined, { cause });
  }
}

/** @param connect makes the connections; `close` ends them */
export function createMailboxBackplane(config: RedisConfig, connect: RedisConnect): Backplane {
  return new MailboxBackplane(config, connect);
}
