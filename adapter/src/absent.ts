import { namespaceKey, roomKey } from './keys.js';
import type { Arg } from './link.js';

/** A session that this node has no socket of, but whose events it goes on to receive. */
export interface Absent {
  readonly namespace: string;
  readonly name: string;
  readonly id: string;
  readonly rooms: readonly string[];
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** Undefined for one on its way here; `since` by `performance.now()`. */
  readonly lost: { readonly data: string; readonly since: number } | undefined;
}

/** It has been absent for so long, not since Redis heard of it. */
export function absence(name: string, { data, since }: NonNullable<Absent['lost']>): Arg[] {
  return ['x', name, data, Math.ceil(performance.now() - since)];
}

export function keysOf(namespace: string, rooms: readonly string[]): string[] {
  return [namespaceKey(namespace), ...rooms.map((room) => roomKey(namespace, room))];
}
