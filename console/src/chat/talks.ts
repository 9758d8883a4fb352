import { computed, signal } from '@preact/signals';
import type { ConversationMember, ConversationSummary, Message } from '@streamgate/protocol/chat';
import { session } from '../connection.js';

/** A message on its way; one that failed waits for another try. */
export interface Outgoing {
  /** The client's own id: sent again under it, the message is in the conversation once. */
  readonly clientId: string;
  readonly content: string;
  /** Why it was not sent. */
  readonly failure?: string;
}

/** A conversation as far as this page knows it. */
export interface Talk {
  readonly summary: ConversationSummary;
  /** Empty until they were asked for. */
  readonly members: readonly ConversationMember[];
  /** From the history and live, by number, without gaps once `loaded`. */
  readonly messages: readonly Message[];
  /** The newest page of the history was read. */
  readonly loaded: boolean;
  /** Where the history goes on backwards. */
  readonly older: string | undefined;
  readonly outbox: readonly Outgoing[];
  /** Users that type now. */
  readonly typing: readonly string[];
}

const EMPTY = {
  members: [],
  messages: [],
  loaded: false,
  older: undefined,
  outbox: [],
  typing: [],
};

export const talks = signal<ReadonlyMap<number, Talk>>(new Map());
/** Id of the conversation that is shown. */
export const openedId = signal<number>();
export const opened = computed(() => talks.value.get(openedId.value ?? 0));
export const me = computed(() => session.value?.user.id ?? '');

/** Written in last first. */
export const ordered = computed(() =>
  [...talks.value.values()].sort((a, b) =>
    writtenAt(b.summary).localeCompare(writtenAt(a.summary)),
  ),
);

export function putSummary(summary: ConversationSummary): void {
  const known = talks.value.get(summary.id) ?? EMPTY;
  put(summary.id, { ...known, summary });
}

/** Changes a conversation, if it is known. */
export function change(id: number, how: (talk: Talk) => Partial<Talk>): void {
  const talk = talks.value.get(id);
  if (talk) put(id, { ...talk, ...how(talk) });
}

export function dropTalk(id: number): void {
  const left = new Map(talks.value);
  left.delete(id);
  talks.value = left;
  if (openedId.value === id) openedId.value = undefined;
}

/** What people call it: its title, the other one, or those who are in it. */
export function nameOf({ summary, members }: Talk): string {
  if (summary.title) return summary.title;
  if (summary.peer_id !== undefined) return String(summary.peer_id);
  const others = members.filter(({ user_id }) => String(user_id) !== me.value);
  return others.length > 0
    ? others.map(({ user_id }) => user_id).join(', ')
    : `Conversation ${summary.id}`;
}

function put(id: number, talk: Talk): void {
  talks.value = new Map(talks.value).set(id, talk);
}

function writtenAt({ last_message, updated_at }: ConversationSummary): string {
  return last_message?.created_at ?? updated_at;
}
