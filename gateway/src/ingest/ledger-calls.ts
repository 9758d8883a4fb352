import { GatewayError } from '@streamgate/protocol/errors';
import { metrics } from '../ops/metrics.js';
import type { Consumer, Deed } from './ledger.js';

/** Deeds -> the arguments that `ledger-scripts.ts` describes. */
export function argumentsOf(
  deeds: readonly Deed[],
  consumer: Consumer | undefined,
  windowSeconds: number,
  doneKey: (key: string) => string,
): (string | number)[] {
  const { leaseKey = '', token = '', stream = '', group = '' } = consumer ?? {};
  const args: (string | number)[] = [leaseKey, token, stream, group, windowSeconds, deeds.length];
  for (const { entry = '', once, acts, inbox, hold, revoke } of deeds) {
    args.push(entry, once ? doneKey(once.key) : '', once?.digest ?? '', acts.length);
    if (!inbox) args.push(0);
    else {
      const { users, namespace, tag, payload, expiresAt = 0 } = inbox;
      args.push(users.length, namespace, tag, payload, expiresAt);
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
  }
  return args;
}

/** What a script said of a deed; `done` of the first of two steps: it is to be done. */
export interface Said {
  readonly verdict: 'done' | 'duplicate' | 'conflict';
  readonly inboxed: number;
}

/** @throws GatewayError `lease_lost`, `backplane_unavailable`: nothing was done */
export function saidIn(answer: unknown): Said[] {
  if (answer === 'lost') throw new GatewayError('lease_lost');
  if (answer === 'no group') throw new GatewayError('backplane_unavailable');
  const [dropped, ...flat] = answer as [number, ...(Said['verdict'] | number)[]];
  if (dropped > 0) metrics.inboxDropped.add('', dropped);
  return Array.from({ length: flat.length / 2 }, (_, index) => ({
    verdict: flat[2 * index] as Said['verdict'],
    inboxed: flat[2 * index + 1] as number,
  }));
}
