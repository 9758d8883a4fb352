import type { User } from '@streamgate/protocol/principal';
import { toGatewayError } from '@streamgate/protocol/errors';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import type { RedisLink } from './redis-link.js';
import type { RunScript } from './registry-scripts.js';

/** A node that does not renew for so long is dead to the others. */
const LEASE_MS = 8000;
/** How often it is renewed, the dead are looked for and departures that came due claimed. */
const TEND_MS = 500;
/** Most sessions swept and departures claimed in one step of Redis. */
const BATCH = 200;

export interface LeaseListener {
  /** The lease was renewed. `swept`: other nodes had taken this one's sessions away. */
  renewed(lost: boolean, swept: boolean): void;
  departed(namespace: string, user: User, users: number): void;
}

/** Keeps this node alive to the others, and does for dead ones what they cannot do any more. */
export class NodeLease {
  private timer: NodeJS.Timeout | undefined;
  private fresh = true;
  private stopped = true;
  private tending: Promise<void> | undefined;

  constructor(
    private readonly nodeId: string,
    private readonly offlineMs: number,
    private readonly link: RedisLink,
    private readonly run: RunScript,
    private readonly listener: LeaseListener,
  ) {}

  /** Renews now and from now on. */
  async start(): Promise<void> {
    this.stopped = false;
    await this.tend();
  }

  /** Ends the lease, unless sessions are left: those are swept by others when it has run out. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.tending;
    if (!this.link.up) return;
    try {
      await this.link.call((redis) => this.run(redis, 'leave', [this.nodeId]));
    } catch (error) {
      log.warn({ code: toGatewayError(error).code }, 'the lease was not given up, it runs out');
    }
  }

  /** Renews now instead of at the next turn. */
  tend(): Promise<void> {
    this.tending ??= this.turn().finally(() => {
      this.tending = undefined;
    });
    return this.tending;
  }

  private async turn(): Promise<void> {
    clearTimeout(this.timer);
    let more = false;
    try {
      if (this.link.up) more = await this.renew();
    } catch (error) {
      // The link knows that Redis is away and says so; the next turn finds out whether it is back.
      log.debug({ code: toGatewayError(error).code }, 'the lease was not renewed');
    }
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.tend(), more ? 0 : TEND_MS);
    this.timer.unref();
  }

  /** @returns whether there was more to do than one step takes */
  private async renew(): Promise<boolean> {
    const args = [this.nodeId, LEASE_MS, this.offlineMs, BATCH, this.fresh ? 1 : 0];
    const [lost, swept, taken, ...departures] = (await this.link.call((redis) =>
      this.run(redis, 'tend', args),
    )) as [number, number, number, ...(string | number)[]];
    // A node's first lease is no interruption.
    const interrupted = lost === 1 && !this.fresh;
    this.fresh = false;
    metrics.swept.add('', taken);
    this.listener.renewed(interrupted, swept === 1);
    for (let index = 0; index < departures.length; index += 3) {
      const [namespace, user, users] = departures.slice(index, index + 3) as [
        string,
        string,
        number,
      ];
      this.listener.departed(namespace, JSON.parse(user) as User, users);
    }
    return taken > 0 || departures.length >= BATCH * 3;
  }
}
