import { type ErrorCode, GatewayError } from '@streamgate/protocol/errors';
import type { User } from '@streamgate/protocol/principal';
import { metrics } from '../ops/metrics.js';
import type { RedisLink } from './redis-link.js';
import type { RunScript } from './registry-scripts.js';
import type { Arrival, Departure, RegistryListener, SessionRecord } from './registry.js';

/** Sessions that one round trip brings in line with the registry. */
const STEP = 100;

interface OwnSession {
  readonly namespace: string;
  session: SessionRecord;
  /** Has been registered: others were told of its user. */
  known: boolean;
  /** What the registry has of it is not what it should have. */
  stale: boolean;
  /** Its first registration has not been answered. */
  arriving: boolean;
}

type ConnectReply =
  | ['ok', number, number, string[]]
  | ['no lease' | 'elsewhere' | 'limit' | 'revoked'];
/** Whether the user is gone, users online, the user if gone (JSON). */
type DisconnectReply = [gone: number, users: number, user: string];

/**
 * The sessions of this node and their entries in the registry. What could not be written, or was
 * lost or taken away, is found by comparing both and made good.
 */
export class OwnSessions {
  /** By namespace and session id, as the registry names them. */
  private readonly sessions = new Map<string, OwnSession>();
  /** Until when the user of an ended session counts as online, for those still registered. */
  private readonly graces = new Map<string, number>();
  private differs = false;
  private comparing: Promise<void> | undefined;

  constructor(
    private readonly nodeId: string,
    private readonly link: RedisLink,
    private readonly run: RunScript,
    private readonly listener: RegistryListener,
  ) {}

  /** The registry may differ from what this node has: `compare` has something to do. */
  doubt(): undefined {
    this.differs = true;
  }

  async connect(
    namespace: string,
    session: SessionRecord,
    maxSessions: number,
  ): Promise<Arrival | undefined> {
    const key = keyOf(namespace, session.id);
    const own: OwnSession = { namespace, session, known: false, stale: true, arriving: true };
    this.sessions.set(key, own);
    this.graces.delete(key);
    let refusal: ErrorCode;
    try {
      // An answer that was given up on and comes late: Redis took it, so others are told after all.
      const reply = await this.register(own, maxSessions, (late) => {
        if (this.sessions.get(key) === own) this.settle(own, late, true);
      });
      const [said] = reply;
      if (said !== 'limit' && said !== 'revoked') return this.settle(own, reply, false);
      refusal = said === 'limit' ? 'user_limit' : 'token_revoked';
    } catch (error) {
      return this.later(error);
    } finally {
      own.arriving = false;
    }
    if (this.sessions.get(key) === own) this.sessions.delete(key);
    throw new GatewayError(refusal);
  }

  async disconnect(
    namespace: string,
    sessionId: string,
    graceMs: number,
  ): Promise<Departure | undefined> {
    const key = keyOf(namespace, sessionId);
    const own = this.sessions.get(key);
    if (!own) return undefined;
    this.sessions.delete(key);
    if (own.known || own.arriving) this.graces.set(key, graceMs > 0 ? Date.now() + graceMs : 0);
    try {
      const [gone, users] = await this.unregister(key, own.session.user.id, graceMs);
      return { last: gone === 1, users };
    } catch (error) {
      return this.later(error);
    }
  }

  async update(namespace: string, session: SessionRecord): Promise<void> {
    const own = this.sessions.get(keyOf(namespace, session.id));
    if (!own) return;
    own.session = session;
    own.stale = true;
    try {
      const { id, user, connectedAt } = session;
      const args = [this.nodeId, namespace, id, user.id, connectedAt, encodeUser(user)];
      const found = await this.link.call((redis) => this.run(redis, 'update', args));
      if (found === 0) this.doubt();
      else if (own.session === session) own.stale = false;
    } catch (error) {
      this.later(error);
    }
  }

  /**
   * Brings the registry in line with this node, if there is doubt.
   * @param swept other nodes took this one's sessions away: whose user is told gone is told back
   */
  compare(swept: boolean): Promise<void> {
    if (!this.differs && !swept) return Promise.resolve();
    this.comparing ??= this.repair(swept).finally(() => {
      this.comparing = undefined;
    });
    return this.comparing;
  }

  private async repair(swept: boolean): Promise<void> {
    this.differs = false;
    try {
      const registered = await this.registered();
      const extra = [...registered].filter(([key]) => !this.sessions.has(key));
      const missing = [...this.sessions].filter(
        ([key, own]) => !own.arriving && (own.stale || !registered.has(key)),
      );
      metrics.registryRepairs.add('ghost', extra.length);
      metrics.registryRepairs.add('missing', missing.length);
      for (const step of steps(extra)) await Promise.all(step.map((entry) => this.depart(entry)));
      for (const step of steps(missing))
        await Promise.all(step.map(([key, own]) => this.registerAgain(key, own, swept)));
      if (swept) await this.link.call((redis) => this.run(redis, 'healed', [this.nodeId]));
      for (const key of this.graces.keys()) if (!registered.has(key)) this.graces.delete(key);
    } catch (error) {
      this.later(error);
    }
  }

  /** What the registry has of this node, page by page: namespace and session -> user id. */
  private async registered(): Promise<Map<string, string>> {
    const registered = new Map<string, string>();
    let cursor = '0';
    do {
      const args = [this.nodeId, cursor];
      const page = await this.link.call((redis) => this.run(redis, 'own', args));
      const [next, flat] = page as [string, string[]];
      for (let index = 0; index < flat.length; index += 2)
        registered.set(flat[index]!, flat[index + 1]!);
      cursor = next;
    } while (cursor !== '0');
    return registered;
  }

  private async depart([key, userId]: [string, string]): Promise<void> {
    const graceMs = Math.max(0, (this.graces.get(key) ?? 0) - Date.now());
    const reply = await this.unregister(key, userId, graceMs);
    this.tellDeparted(key, reply);
  }

  private async registerAgain(key: string, own: OwnSession, swept: boolean): Promise<void> {
    if (this.sessions.get(key) !== own) return;
    this.settle(own, await this.register(own, undefined), swept || !own.known);
  }

  private settle(own: OwnSession, reply: ConnectReply, tell: boolean): Arrival | undefined {
    if (reply[0] === 'no lease') return this.doubt();
    own.stale = false;
    if (reply[0] === 'revoked') return this.end(own);
    own.known = true;
    // Continued on another node, while this one has not noticed yet that it lost it.
    if (reply[0] !== 'ok') return undefined;
    const [, first, users, heldRooms] = reply;
    if (first === 1 && tell) this.listener.arrived(own.namespace, own.session.user, users);
    return { first: first === 1, users, heldRooms };
  }

  /** Let in while the registry was away. The edge ends it, and it is unregistered then. */
  private end(own: OwnSession): undefined {
    this.listener.revoked(own.namespace, own.session.id);
  }

  /** @param maxSessions undefined for a session that was let in before */
  private async register(
    own: OwnSession,
    maxSessions: number | undefined,
    late?: (reply: ConnectReply) => void,
  ): Promise<ConnectReply> {
    const { id, user, connectedAt, issuedAt = 0 } = own.session;
    const args = [this.nodeId, own.namespace, id, user.id, connectedAt, encodeUser(user)];
    args.push(...(maxSessions === undefined ? [0, 1] : [maxSessions, 0]), issuedAt);
    return this.link.call(
      (redis) => this.run(redis, 'connect', args) as Promise<ConnectReply>,
      late,
    );
  }

  private async unregister(key: string, userId: string, graceMs: number): Promise<DisconnectReply> {
    const args = [this.nodeId, ...partsOf(key), userId, graceMs];
    const reply = await this.link.call(
      (redis) => this.run(redis, 'disconnect', args) as Promise<DisconnectReply>,
      (late) => this.tellDeparted(key, late),
    );
    this.graces.delete(key);
    return reply;
  }

  private tellDeparted(key: string, [gone, users, user]: DisconnectReply): void {
    if (gone === 1) this.listener.departed(partsOf(key)[0], JSON.parse(user) as User, users);
  }

  /** What could not be written is written when the registry is compared next. */
  private later(error: unknown): undefined {
    if (!(error instanceof GatewayError && error.code === 'backplane_unavailable')) throw error;
    return this.doubt();
  }
}

function keyOf(namespace: string, sessionId: string): string {
  return `${namespace}\n${sessionId}`;
}

function partsOf(key: string): [namespace: string, sessionId: string] {
  const end = key.indexOf('\n');
  return [key.slice(0, end), key.slice(end + 1)];
}

/** Redis cannot hold half a surrogate pair, and the scripts' JSON reader refuses it. */
function encodeUser({ id, username, roles }: User): string {
  return JSON.stringify({
    id: id.toWellFormed(),
    username: username.toWellFormed(),
    roles: roles.map((role) => role.toWellFormed()),
  });
}

function steps<T>(items: readonly T[]): T[][] {
  const all: T[][] = [];
  for (let index = 0; index < items.length; index += STEP)
    all.push(items.slice(index, index + STEP));
  return all;
}
