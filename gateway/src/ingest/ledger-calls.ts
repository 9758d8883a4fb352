import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { metrics } from '../ops/metrics.js';
import { type Consumer, type Deed, OutOfTurn, type Verdict } from './ledger.js';

/** Acts of one call, and deeds. */
const CALL_MAX = 64;
/** Users of one call, unless a single deed has more: each costs Redis some 50 microseconds. */
const USERS_MAX = 1000;

/**
 * Settles as many at once as one call takes. After a failure that passes nothing is begun: what is tried
 * again must not come behind what followed it.
 * @param settle may settle fewer than it is given, from the first on: it is given the rest again
 * @throws what `settle` throws: with a consumer, whose pending entries tell what was done, or of the first
 */
export async function inParts(
  deeds: readonly Deed[],
  consumer: Consumer | undefined,
  settle: (part: readonly Deed[]) => Promise<Verdict[]>,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  let failure: GatewayError | undefined;
  for (const part of partsOf(deeds)) {
    try {
      for (let rest = part; rest.length > 0;) {
        const settled = await settle(rest);
        verdicts.push(...settled);
        if (settled.some(isPassing)) break;
        rest = rest.slice(settled.length);
      }
    } catch (thrown) {
      // Nobody else remembers what was done before it.
      if (consumer || verdicts.length === 0) throw thrown;
      failure = toGatewayError(thrown);
    }
    failure ??= verdicts.find(isPassing);
    if (failure) break;
  }
  while (failure && verdicts.length < deeds.length) verdicts.push(failure);
  return verdicts;
}

function isPassing(verdict: Verdict): verdict is GatewayError {
  return verdict instanceof GatewayError && verdict.retryable;
}

function* partsOf(deeds: readonly Deed[]): Generator<Deed[]> {
  let part: Deed[] = [];
  let acts = 0;
  let users = 0;
  for (const deed of deeds) {
    const { inbox, hold, revoke } = deed;
    const named = [inbox, hold, revoke].reduce((sum, each) => sum + (each?.users.length ?? 0), 0);
    acts += deed.acts.length;
    users += named;
    if (part.length > 0 && (part.length === CALL_MAX || acts > CALL_MAX || users > USERS_MAX)) {
      yield part;
      part = [];
      acts = deed.acts.length;
      users = named;
    }
    part.push(deed);
  }
  if (part.length > 0) yield part;
}

/** Deeds -> the arguments that `ledger-scripts.ts` describes. */
export function argumentsOf(
  deeds: readonly Deed[],
  consumer: Consumer | undefined,
  windowSeconds: number,
  doneKey: (key: string) => string,
): (string | number)[] {
  const { leaseKey = '', token = '', stream = '', group = '', after = '' } = consumer ?? {};
  const args: (string | number)[] = [leaseKey, token, stream, group, after];
  args.push(windowSeconds, deeds.length);
  let row: string[] = [];
  for (const deed of deeds) {
    const { entry = '', once, acts, inbox, hold, revoke, report } = deed;
    if (isPlain(deed)) {
      row.push(entry);
      continue;
    }
    args.push(row.length, ...row);
    row = [];
    args.push(entry, once ? doneKey(once.key) : '', once?.digest ?? '', acts.length);
    if (!inbox) args.push(0);
    else {
      const { users, namespace, tag, payload, expiresAt } = inbox;
      // What remains: Redis' clock is another than this node's.
      const ttl = expiresAt === undefined ? 0 : Math.max(1, expiresAt - Date.now());
      args.push(users.length, namespace, tag, payload, ttl);
      for (const user of users) args.push(user);
    }
    if (!hold) args.push(0);
    else {
      const { users, namespace, room, action } = hold;
      args.push(users.length, namespace, room, action === 'join' ? 1 : 0);
      for (const user of users) args.push(user);
    }
    if (!revoke) args.push(0);
    else {
      const { users, issuedUntil, seconds } = revoke;
      args.push(users.length, issuedUntil, seconds);
      for (const user of users) args.push(user);
    }
    if (!report) args.push('');
    else {
      const { stream: receipts, outcome, sessions = '', fields } = report;
      args.push(receipts, outcome, sessions, fields.length, ...fields);
    }
  }
  if (row.length > 0) args.push(row.length, ...row);
  return args;
}

/** Most events are: nothing is to be known of them but their entries, and each argument costs. */
function isPlain({ once, acts, inbox, hold, revoke, report }: Deed): boolean {
  return acts.length === 1 && !once && !inbox && !hold && !revoke && !report;
}

/** What a script said of a deed; `done` of the first of two steps: it is to be done. */
export interface Said {
  readonly verdict: 'done' | 'duplicate' | 'conflict';
  readonly inboxed: number;
}

/** @throws GatewayError `lease_lost`, `backplane_unavailable` (`OutOfTurn` too): nothing was done */
export function saidIn(answer: unknown): Said[] {
  if (answer === 'lost') throw new GatewayError('lease_lost');
  if (answer === 'no group') throw new GatewayError('backplane_unavailable');
  if (answer === 'out of turn') throw new OutOfTurn();
  const [dropped, unwritten, count, ...special] = answer as [number, number, number, ...unknown[]];
  if (dropped > 0) metrics.inboxDropped.add('', dropped);
  if (unwritten > 0) metrics.receiptsLost.add('', unwritten);
  const said = Array.from({ length: count }, () => DONE);
  for (let at = 0; at < special.length; at += 3) {
    const [number, verdict, inboxed] = special.slice(at) as [number, Said['verdict'], number];
    said[number - 1] = { verdict, inboxed };
  }
  return said;
}

const DONE: Said = { verdict: 'done', inboxed: 0 };
