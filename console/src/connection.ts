import { batch, computed, signal } from '@preact/signals';
import type { ServerPayload } from '@streamgate/protocol/server-events';
import { Manager } from 'socket.io-client';
import { type Answer, Channel, listen } from './channel.js';
import type { Json } from './client-event.js';
import { identity, tokenFor } from './identity.js';
import { note } from './log.js';
import { explain, ofRefusal, type Problem, type Said } from './problems.js';

/** `lost`: the client comes back by itself. `refused`, `ended`: it does not. */
export type State = 'idle' | 'connecting' | 'connected' | 'lost' | 'refused' | 'ended';

export const state = signal<State>('idle');
/** Why it is not connected, for people. */
export const problem = signal<Problem>();
/** What `connected` said last. */
export const session = signal<ServerPayload<'connected'>>();
/** `websocket` or `polling`; empty without a connection. */
export const transport = signal('');
/** How often the connection was lost and came back. */
export const comebacks = signal(0);
export const connected = computed(() => state.value === 'connected');

let manager: Manager | undefined;
const channels = new Map<string, Channel>();
/** The token of the last connect, for the REST door. */
let token = '';
/** What the gateway said before it ended the session. */
let lastError: Said | undefined;

/** Connects as `identity`, and goes on doing so whenever the connection is lost. */
export function connect(): void {
  close();
  state.value = 'connecting';
  const opened = new Manager(location.origin, {
    reconnectionDelay: 300,
    reconnectionDelayMax: 3000,
  });
  manager = opened;
  opened.on('open', () => {
    const { engine } = opened;
    transport.value = engine.transport.name;
    engine.on('upgrade', ({ name }) => (transport.value = name));
  });
  const { socket } = channelOf('/');
  socket.on('connect_error', (error) => {
    if (socket.active) problem.value = ofRefusal(error);
    else refuse(ofRefusal(error, token));
  });
  socket.on('disconnect', (reason) => lost(reason));
}

/** Ends the session for good. */
export function disconnect(): void {
  close();
  note('Disconnected');
}

/** The channel of a namespace of this connection, opened when it is not yet. */
export function channelOf(namespace: string): Channel {
  if (!manager) throw new Error('not connected');
  let channel = channels.get(namespace);
  if (!channel) channels.set(namespace, (channel = new Channel(manager, namespace, authenticate)));
  return channel;
}

/** Sends an event on `/`, or on a namespace that is open. */
export function send(event: string, payload?: Json, namespace = '/'): Promise<Answer> {
  return channelOf(namespace).send(event, payload);
}

/** Asks the REST door with the token of the session. @throws Error with the gateway's own words */
export async function rest<Result>(method: string, path: string, body?: Json): Promise<Result> {
  const response = await fetch(path, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer: unknown = response.status === 204 ? undefined : await response.json();
  if (!response.ok) throw new Error((answer as { message: string }).message);
  return answer as Result;
}

async function authenticate(): Promise<object | undefined> {
  const who = identity.value;
  if (!who) return undefined;
  try {
    token = await tokenFor(who);
    return { token };
  } catch (error) {
    const { message } = error as Error;
    close();
    refuse({ code: 'no_token', text: 'This node made no token', advice: message });
    return undefined;
  }
}

function refuse(why: Problem): void {
  batch(() => {
    state.value = 'refused';
    problem.value = why;
    session.value = undefined;
  });
  note(`Refused: ${why.text}`, why.code);
}

function lost(reason: string): void {
  if (reason === 'io client disconnect') return;
  const stays = reason === 'io server disconnect';
  const why = stays
    ? explain(lastError)
    : { code: reason, text: `${LOST[reason] ?? 'The connection was lost'}. Trying again.` };
  batch(() => {
    state.value = stays ? 'ended' : 'lost';
    transport.value = '';
    problem.value = why;
  });
  note(stays ? `The gateway ended the session: ${why.text}` : why.text, why.code);
}

const LOST: Readonly<Record<string, string>> = {
  'transport close': 'The connection was closed',
  'transport error': 'The connection broke',
  'ping timeout': 'The gateway was silent for too long',
};

function close(): void {
  for (const { socket } of channels.values()) socket.disconnect();
  channels.clear();
  manager = undefined;
  lastError = undefined;
  batch(() => {
    state.value = 'idle';
    problem.value = undefined;
    session.value = undefined;
    transport.value = '';
    comebacks.value = 0;
  });
}

listen('/', 'connected', (said: ServerPayload<'connected'>) => {
  if (state.value === 'lost') {
    comebacks.value += 1;
    note(said.recovered ? 'Back: the session goes on, nothing was missed' : 'Back: a new session');
  }
  batch(() => {
    state.value = 'connected';
    problem.value = undefined;
    session.value = said;
  });
});

listen('/', 'error', (error: Said) => {
  lastError = error;
  // A made token is renewed as a careful client renews its own.
  if (error.code === 'token_expired' && identity.value?.kind === 'made')
    void authenticate().then((made) => made && send('refresh-token', { token }));
});
