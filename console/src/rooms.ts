import { effect, signal } from '@preact/signals';
import type { ServerPayload } from '@streamgate/protocol/server-events';
import type { Answer } from './channel.js';
import { listen } from './channel.js';
import { send, state } from './connection.js';

/** Rooms that this session is in, in the order in which it joined them. */
export const rooms = signal<readonly string[]>([]);

export async function joinRoom(room: string): Promise<Answer> {
  const answer = await send('join-room', { room });
  if (!answer.error) add((answer.data as ServerPayload<'joined-room'>).room);
  return answer;
}

export async function leaveRoom(room: string): Promise<Answer> {
  const answer = await send('leave-room', { room });
  if (!answer.error) drop((answer.data as ServerPayload<'left-room'>).room);
  return answer;
}

/** The same room whichever way it was joined: by a form, or for the user by a service. */
for (const event of ['joined-room', 'join:room'])
  listen('/', event, ({ room }: { room: string }) => add(room));
for (const event of ['left-room', 'leave:room'])
  listen('/', event, ({ room }: { room: string }) => drop(room));

/** A new session is in none of the old one's rooms: join them again, as a careful client does. */
listen('/', 'connected', ({ recovered }: ServerPayload<'connected'>) => {
  if (recovered) return;
  const before = rooms.value;
  rooms.value = [];
  for (const room of before) void joinRoom(room);
});

effect(() => {
  if (state.value === 'idle') rooms.value = [];
});

function add(room: string): void {
  if (!rooms.value.includes(room)) rooms.value = [...rooms.value, room];
}

function drop(room: string): void {
  rooms.value = rooms.value.filter((other) => other !== room);
}
