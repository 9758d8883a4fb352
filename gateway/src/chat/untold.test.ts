import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { GatewayError } from '@streamgate/protocol/errors';
import { conversationRoom } from '@streamgate/protocol/rooms';
import type { Backplane, Notice } from '../backplane/backplane.js';
import type { ChatNotice } from '../backplane/notices.js';
import { Untold } from './untold.js';

let up: boolean;
/** Refuses so many notices. */
let refusing: number;
let told: Notice[];
let untold: Untold;

beforeEach(() => {
  vi.useFakeTimers();
  [up, refusing, told] = [false, 0, []];
  untold = new Untold('/chat', {
    health: () => ({ up }),
    async notify(notice: Notice) {
      await Promise.resolve();
      refusing -= 1;
      if (refusing >= 0) throw new GatewayError('backplane_unavailable');
      told.push(notice);
    },
  } as unknown as Backplane);
});
afterEach(() => {
  untold.close();
  vi.useRealTimers();
});

const edit: ChatNotice = {
  ...{ kind: 'chat', conversationId: 2, seq: 1, event: 'message-updated', payload: {} },
};
const missed = (...ids: number[]): Notice => ({
  namespace: '/chat',
  to: ids.map(conversationRoom),
  body: { kind: 'chat-missed', conversationIds: ids },
});

test('is told once when it can be, and again what was refused', async () => {
  untold.add(1);
  untold.add(2, edit);
  untold.add(1);
  await vi.advanceTimersByTimeAsync(5000);
  expect(told).toEqual([]);
  [up, refusing] = [true, 2];
  await vi.advanceTimersByTimeAsync(5000);
  const again: Notice = { namespace: '/chat', to: [conversationRoom(2)], body: edit };
  expect(told).toEqual([missed(1, 2), again]);
  expect(vi.getTimerCount()).toBe(0);
});

test('of more than can be named all nodes look after all', async () => {
  for (let id = 1; id <= 10_001; id += 1) untold.add(id);
  [up, refusing] = [true, 1];
  await vi.advanceTimersByTimeAsync(5000);
  expect(told).toEqual([
    { namespace: '/chat', to: 'nodes', body: { kind: 'chat-missed', conversationIds: undefined } },
  ]);
});

test('nothing is tried when it was closed', () => {
  untold.add(1);
  untold.close();
  untold.add(2);
  expect(vi.getTimerCount()).toBe(0);
});
