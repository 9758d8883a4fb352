import { randomUUID } from 'node:crypto';
import type { Config } from '../config.js';
import { GatewayError } from '@streamgate/protocol/errors';
import type { User } from '@streamgate/protocol/principal';
import type { ActiveUser } from '@streamgate/protocol/server-events';
import { NodeLease } from './node-lease.js';
import { redisKeys } from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import { OwnSessions } from './own-sessions.js';
import { type RegistryScript, type RunScript, defineScripts } from './registry-scripts.js';
import type {
  Arrival,
  Departure,
  Registry,
  RegistryListener,
  Revocation,
  SessionRecord,
  UserPage,
} from './registry.js';

/** Most users that one step of Redis reads or changes. */
const STEP = 1000;
/** The node's sessions are compared with the registry even when nothing seems wrong. */
const COMPARE_MS = 60_000;

type RevocationsReply = [cursor: string, ...[user: string, issuedUntil: string, until: string][]];
type EntryReply = [user: string, since: string, sessions: number];

/**
 * The registry of a cluster, in Redis: what it holds of this node's sessions is compared with what
 * this node has whenever it may differ (docs/decisions/0011-registry.md).
 */
export class RedisRegistry implements Registry {
  readonly nodeId = randomUUID();
  private readonly run: RunScript;
  private readonly own: OwnSessions;
  private readonly lease: NodeLease;
  private readonly listeners: Partial<RegistryListener>[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    config: Pick<Config, 'redisPrefix' | 'offlineSeconds'>,
    private readonly link: RedisLink,
  ) {
    this.run = defineScripts(link.redis, redisKeys(config.redisPrefix).registry);
    const everyone: RegistryListener = {
      arrived: (...news) => this.listeners.forEach((listener) => listener.arrived?.(...news)),
      departed: (...news) => this.listeners.forEach((listener) => listener.departed?.(...news)),
      revoked: (...news) => this.listeners.forEach((listener) => listener.revoked?.(...news)),
    };
    this.own = new OwnSessions(this.nodeId, link, this.run, everyone);
    this.lease = new NodeLease(this.nodeId, config.offlineSeconds * 1000, link, this.run, {
      renewed: (lost, swept) => {
        if (lost) this.own.doubt();
        void this.own.compare(swept);
      },
      departed: (...news) => everyone.departed(...news),
    });
    link.onChange(({ up }) => {
      this.own.doubt();
      if (up) void this.lease.tend();
    });
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => this.own.doubt(), COMPARE_MS);
    this.timer.unref();
    await this.lease.start();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.lease.stop();
  }

  connect(
    namespace: string,
    session: SessionRecord,
    maxSessions: number,
  ): Promise<Arrival | undefined> {
    return this.own.connect(namespace, session, maxSessions);
  }

  disconnect(
    namespace: string,
    sessionId: string,
    graceMs: number,
  ): Promise<Departure | undefined> {
    return this.own.disconnect(namespace, sessionId, graceMs);
  }

  update(namespace: string, session: SessionRecord): Promise<void> {
    return this.own.update(namespace, session);
  }

  async find(namespace: string, userId: string): Promise<ActiveUser | undefined> {
    const reply = (await this.call('find', [namespace, userId])) as EntryReply | null;
    return reply ? activeUser(reply) : undefined;
  }

  async areOnline(namespace: string, userIds: readonly string[]): Promise<boolean[]> {
    const answers = await Promise.all(
      steps(userIds).map((step) => this.call('online', [namespace, ...step])),
    );
    return (answers as number[][]).flat().map((online) => online === 1);
  }

  async list(namespace: string, limit: number, cursor?: string): Promise<UserPage> {
    let after = cursor === undefined ? undefined : decodeCursor(cursor);
    const users: ActiveUser[] = [];
    let count: number;
    do {
      // One more than wanted tells whether there is a next page.
      const want = Math.min(limit + 1 - users.length, STEP);
      const position: string[] = after === undefined ? [] : [after];
      const reply = await this.call('list', [namespace, want, ...position]);
      const [total, page] = reply as [number, EntryReply[]];
      count = total;
      users.push(...page.map(activeUser));
      after = users.at(-1)?.id;
      if (page.length < want) break;
    } while (users.length <= limit);
    const more = users.length > limit;
    if (more) users.pop();
    const last = users.at(-1);
    return { users, count, nextCursor: more && last ? encodeCursor(last.id) : undefined };
  }

  async count(namespace: string): Promise<number> {
    return (await this.call('count', [namespace])) as number;
  }

  async countByRole(namespace: string): Promise<Record<string, number>> {
    const flat = (await this.call('roles', [namespace])) as string[];
    const roles: [string, number][] = [];
    for (let index = 0; index < flat.length; index += 2)
      roles.push([flat[index]!, Number(flat[index + 1])]);
    return Object.fromEntries(roles);
  }

  hold(namespace: string, userIds: readonly string[], room: string): Promise<void> {
    return this.setHeld(namespace, userIds, room, 1);
  }

  release(namespace: string, userIds: readonly string[], room: string): Promise<void> {
    return this.setHeld(namespace, userIds, room, 0);
  }

  async sessionsOf(namespace: string, userIds: readonly string[]): Promise<number> {
    const counts = await Promise.all(
      steps([...new Set(userIds)]).map((step) => this.call('sessions', [namespace, ...step])),
    );
    return (counts as number[]).reduce((sum, count) => sum + count, 0);
  }

  async revoke(userIds: readonly string[], issuedUntil: number, seconds: number): Promise<void> {
    for (const step of steps(userIds)) await this.call('revoke', [issuedUntil, seconds, ...step]);
  }

  async revocations(): Promise<Revocation[]> {
    const all: Revocation[] = [];
    let cursor = '0';
    do {
      const reply = (await this.call('revocations', [cursor])) as RevocationsReply;
      const [next, ...page] = reply;
      for (const [userId, issuedUntil, until] of page)
        all.push({ userId, issuedUntil: Number(issuedUntil), until: Number(until) });
      cursor = next;
    } while (cursor !== '0');
    return all;
  }

  listen(listener: Partial<RegistryListener>): void {
    this.listeners.push(listener);
  }

  private async setHeld(namespace: string, userIds: readonly string[], room: string, hold: 0 | 1) {
    for (const step of steps(userIds)) await this.call('hold', [namespace, room, hold, ...step]);
  }

  /** @throws GatewayError `backplane_unavailable` */
  private call(name: RegistryScript, args: readonly (string | number)[]): Promise<unknown> {
    return this.link.call((redis) => this.run(redis, name, args));
  }
}

function activeUser([user, since, sessions]: EntryReply): ActiveUser {
  return {
    ...(JSON.parse(user) as User),
    sessions,
    connectedAt: new Date(Number(since)).toISOString(),
  };
}

function encodeCursor(userId: string): string {
  return Buffer.from(userId).toString('base64url');
}

/** @throws GatewayError `invalid_payload` */
function decodeCursor(cursor: string): string {
  if (!/^[\w-]+$/.test(cursor)) throw new GatewayError('invalid_payload', 'Malformed cursor');
  return Buffer.from(cursor, 'base64url').toString();
}

function steps(ids: readonly string[]): string[][] {
  const all: string[][] = [];
  for (let index = 0; index < ids.length; index += STEP) all.push(ids.slice(index, index + STEP));
  return all;
}
