import { signal } from '@preact/signals';
import type { User } from '@streamgate/protocol/principal';
import type { ActiveUsers } from '@streamgate/protocol/server-events';
import { listen } from './channel.js';
import { send } from './connection.js';

/** Somebody who is online; without `sessions` when known only from an announcement. */
export type Person = User & { readonly sessions?: number };

export const people = signal<readonly Person[]>([]);
/** All that are online, not only those listed. */
export const peopleCount = signal(0);
/** Why there is no list. */
export const peopleProblem = signal<string>();

/** As many as are listed: the rest is a number. */
const LISTED = 200;

/** Asks for the list; from then on announcements keep it. */
export async function refreshPeople(): Promise<void> {
  const answer = await send('get-active-users', { limit: LISTED });
  peopleProblem.value = answer.error?.message;
  if (answer.error) return;
  const { users, count } = answer.data as ActiveUsers;
  people.value = users;
  peopleCount.value = count;
}

interface Announcement {
  readonly user: User;
  readonly activeUsersCount: number;
}

listen('/', 'connected', () => void refreshPeople());

listen('/', 'user-connected', ({ user, activeUsersCount }: Announcement) => {
  const others = people.value.filter(({ id }) => id !== user.id);
  if (others.length < LISTED) people.value = [...others, user];
  peopleCount.value = activeUsersCount;
});

listen('/', 'user-disconnected', ({ user, activeUsersCount }: Announcement) => {
  people.value = people.value.filter(({ id }) => id !== user.id);
  peopleCount.value = activeUsersCount;
});
