import { LRUCache } from 'lru-cache';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import type { Act, Backplane, Relocation } from '../backplane/backplane.js';
import { LinkFault } from '../backplane/redis-link.js';

/** What is to be done for one command, and recorded of it. */
export interface Deed {
  /** Id of its entry in the stream, when it has one: acknowledged together with acting. */
  readonly entry?: string;
  /** Done once under this key; the same key with another digest is a conflict. */
  readonly once?: { readonly key: string; readonly digest: string };
  readonly acts: readonly Act[];
  /** Held in the registry, or released, before the nodes hear of it. */
  readonly hold?: Relocation;
  /** Refused from now on, before the nodes hear of it. */
  readonly revoke?: TokensOf;
  /** Kept for users before it is sent to their sessions. */
  readonly inbox?: Keepsake;
  /** Written in the step that records, by a ledger that writes receipts. */
  readonly report?: Report;
}

/** The receipt of a deed, as far as it is known before; one that is refused has none of this kind. */
export interface Report {
  readonly stream: string;
  /** What it says when the deed is done. */
  readonly outcome: 'done' | 'expired';
  /** Sessions that were addressed, when they were counted. */
  readonly sessions?: number;
  /** Names and texts, alternately. */
  readonly fields: readonly string[];
}

/** Tokens of users, to be refused for a while. */
export interface TokensOf {
  readonly users: readonly string[];
  /** Milliseconds since the epoch: those issued up to then. */
  readonly issuedUntil: number;
  readonly seconds: number;
}

/** An event for the inboxes of users. */
export interface Keepsake {
  readonly namespace: string;
  readonly users: readonly string[];
  /** Names it; the publication carries the same. */
  readonly tag: string;
  /** JSON of a list: the event's name and its arguments. */
  readonly payload: string;
  /** Milliseconds since the epoch after which it is no longer worth delivering. */
  readonly expiresAt?: number;
}

/** Who reads a partition: its lease is checked, and what is done is acknowledged. */
export interface Consumer {
  readonly stream: string;
  readonly group: string;
  readonly leaseKey: string;
  /** What the lease holds while it is ours. */
  readonly token: string;
  /** An entry that was handed over before, and must be acknowledged by now: see `chains`. */
  readonly after?: string;
}

/** What it was to come after was not done: it was not done either. */
export class OutOfTurn extends GatewayError {
  constructor() {
    super('backplane_unavailable', undefined, { cause: new LinkFault('failed', 'out of turn') });
  }
}

/** What became of a deed; an error concerns this deed alone. */
export type Verdict =
  | { readonly outcome: 'done'; readonly inboxed: number }
  | { readonly outcome: 'duplicate' }
  | GatewayError;

/**
 * Does what commands ask for, once: acts and records that it acted. Chosen by the backplane, since
 * only there acting and recording can be one step.
 */
export interface Ledger {
  /** Whether it writes the receipts of what it does: they are not lost with its answer then. */
  readonly writesReceipts?: boolean;
  /**
   * Whether it looks for a consumer's `after`, and does nothing (`OutOfTurn`) while that is pending: so
   * several calls may be under way, and what follows one that failed fails with it.
   */
  readonly chains?: boolean;
  /**
   * In order; a verdict for each deed.
   * @throws GatewayError for all of them: `lease_lost` (nothing was done), `backplane_unavailable`
   *   (not known what was done: the pending entries tell)
   */
  settle(deeds: readonly Deed[], consumer?: Consumer): Promise<Verdict[]>;
}

/** Ids that a single node remembers at most, the oldest are forgotten first. */
const IDS_MAX = 100_000;

/** For a node without Redis: what was done is remembered in its memory. */
export class MemoryLedger implements Ledger {
  private readonly done: LRUCache<string, string>;

  /**
   * @param windowMs how long an id is remembered
   * @param keep stores in inboxes, and says in how many
   */
  constructor(
    private readonly backplane: Backplane,
    windowMs: number,
    private readonly keep: (keepsake: Keepsake) => number,
  ) {
    this.done = new LRUCache({ max: IDS_MAX, ttl: windowMs });
  }

  async settle(deeds: readonly Deed[]): Promise<Verdict[]> {
    const verdicts: Verdict[] = [];
    for (const deed of deeds) verdicts.push(await this.settleOne(deed));
    return verdicts;
  }

  private async settleOne(deed: Deed): Promise<Verdict> {
    const { once, inbox } = deed;
    const digest = once && this.done.get(once.key);
    if (once && digest !== undefined)
      return digest === once.digest
        ? { outcome: 'duplicate' }
        : new GatewayError('idempotency_conflict');
    // Recorded first, so that nobody passes meanwhile.
    if (once) this.done.set(once.key, once.digest);
    const inboxed = inbox ? this.keep(inbox) : 0;
    await tellRegistry(this.backplane, [deed]);
    const [verdict] = await performAll(this.backplane, [deed]);
    if (verdict instanceof GatewayError) {
      if (once) this.done.delete(once.key);
      return verdict;
    }
    return { ...verdict!, inboxed } as Verdict;
  }
}

/**
 * Holds, releases and revokes. In order: a join and a leave of one room do not commute.
 * @throws GatewayError `backplane_unavailable`
 */
export async function tellRegistry({ registry }: Backplane, deeds: readonly Deed[]): Promise<void> {
  for (const { hold, revoke } of deeds) {
    if (hold?.action === 'join') await registry.hold(hold.namespace, hold.users, hold.room);
    else if (hold) await registry.release(hold.namespace, hold.users, hold.room);
    if (revoke) await registry.revoke(revoke.users, revoke.issuedUntil, revoke.seconds);
  }
}

/** Deeds of which nothing is recorded: their acts in order, through the backplane's own methods. */
export function performAll(backplane: Backplane, deeds: readonly Deed[]): Promise<Verdict[]> {
  // All are begun before one is waited for: their order is the order of the calls.
  return Promise.all(
    deeds.map(async ({ acts }): Promise<Verdict> => {
      try {
        await Promise.all(acts.map((act) => perform(backplane, act)));
        return { outcome: 'done', inboxed: 0 };
      } catch (thrown) {
        return toGatewayError(thrown);
      }
    }),
  );
}

function perform(backplane: Backplane, act: Act): Promise<unknown> {
  if ('event' in act) return backplane.publish(act);
  return 'action' in act ? backplane.relocate(act) : backplane.notify(act);
}
