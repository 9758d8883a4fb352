import { effect, signal } from '@preact/signals';
import type { ConsoleSettings, MadeToken, TokenRequest } from '@streamgate/protocol/console';

/**
 * Who connects. A made identity is a name: its token is asked for whenever one is needed. A token
 * that was pasted stays in the memory of the page.
 */
export type Identity =
  | { readonly kind: 'made'; readonly userId: string; readonly roles: readonly string[] }
  | { readonly kind: 'token'; readonly token: string };

/** What the node that serves the page said of itself; undefined until it has. */
export const settings = signal<ConsoleSettings>();
/** Undefined: nobody has said yet who connects. */
export const identity = signal<Identity>();

const KEPT = 'streamgate.identity';

/** Each tab is somebody: the name outlives a reload of its tab, and goes with it. */
effect(() => {
  const who = identity.value;
  if (who?.kind === 'made') sessionStorage.setItem(KEPT, JSON.stringify(who));
  else if (who) sessionStorage.removeItem(KEPT);
});

/** Who this tab was before it was reloaded. */
export function keptIdentity(): Identity | undefined {
  const kept = sessionStorage.getItem(KEPT);
  return kept === null ? undefined : (JSON.parse(kept) as Identity);
}

export function forgetIdentity(): void {
  identity.value = undefined;
  sessionStorage.removeItem(KEPT);
}

/** @throws Error when the node does not answer */
export async function readSettings(): Promise<void> {
  settings.value = await ask<ConsoleSettings>('/console/settings');
}

/** The token to connect with. @throws Error with the node's own words when it makes none */
export async function tokenFor(who: Identity): Promise<string> {
  if (who.kind === 'token') return who.token;
  const { userId, roles } = who;
  const request: TokenRequest = { userId, roles: [...roles] };
  return (await ask<MadeToken>('/console/token', request)).token;
}

async function ask<Answer>(path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(path, {
    ...(body !== undefined && {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const answer: unknown = await response.json();
  if (!response.ok) throw new Error((answer as { message: string }).message);
  return answer as Answer;
}
