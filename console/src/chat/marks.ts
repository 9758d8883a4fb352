import { signal } from '@preact/signals';
import type { ChatServerPayload } from '@streamgate/protocol/chat-server-events';
import { listen } from '../channel.js';
import { state } from '../connection.js';

/** How a user is on `/chat`. */
export type Mark = 'online' | 'away' | 'busy' | 'offline';

const online = signal<ReadonlyMap<string, boolean>>(new Map());
const statuses = signal<ReadonlyMap<string, Exclude<Mark, 'offline'>>>(new Map());

/** Undefined: nobody has said. */
export function markOf(userId: string): Mark | undefined {
  const isOnline = online.value.get(userId);
  if (isOnline === undefined) return undefined;
  return isOnline ? (statuses.value.get(userId) ?? 'online') : 'offline';
}

/** How the user says that it is itself. */
export function statusOf(userId: string): Exclude<Mark, 'offline'> {
  return statuses.value.get(userId) ?? 'online';
}

export function see(userId: string, isOnline: boolean): void {
  online.value = new Map(online.value).set(userId, isOnline);
}

listen('/chat', 'user:online', ({ userId }: ChatServerPayload<'user:online'>) =>
  see(String(userId), true),
);
listen('/chat', 'user:offline', ({ userId }: ChatServerPayload<'user:offline'>) =>
  see(String(userId), false),
);
listen('/chat', 'user:status', ({ userId, status }: ChatServerPayload<'user:status'>) => {
  statuses.value = new Map(statuses.value).set(String(userId), status);
});

state.subscribe((now) => {
  // Who comes and goes is not heard without a connection; members are read anew with the next.
  if (now !== 'connected') online.value = new Map();
  if (now === 'idle') statuses.value = new Map();
});
