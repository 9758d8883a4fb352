import { Server } from 'socket.io';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CommandInput } from '@streamgate/protocol/commands';
import { TRUSTED, memoryExecutor } from '../../test/executor.js';
import { createMemoryBackplane } from '../backplane/memory.js';
import type { Backplane } from '../backplane/backplane.js';
import { readConfig } from '../config.js';
import { metrics } from '../ops/metrics.js';
import type { Executor } from './execute.js';

let backplane: Backplane;
let executor: Executor;
beforeAll(async () => {
  backplane = createMemoryBackplane(readConfig({ STREAMGATE_MODE: 'development' }));
  // It gives the backplane its namespaces; nobody connects.
  new Server(backplane.serverOptions);
  await backplane.start();
  executor = memoryExecutor(backplane);
});
afterAll(() => backplane.close());

const emit = (fields: Record<string, unknown>) =>
  ({ action: 'emit', to: ['quiz'], event: 'x', args: [], ...fields }) as CommandInput;
const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

describe('refused', () => {
  test.each<[string, string, CommandInput]>([
    ['unknown_namespace', 'another namespace', emit({ nsp: '/other' })],
    ['reserved_event', 'a reserved event', emit({ event: 'disconnect' })],
    ['invalid_payload', 'no event', emit({ event: '' })],
    ['invalid_payload', 'a long event name', emit({ event: 'x'.repeat(201) })],
    ['invalid_to', 'no room', emit({ to: [] })],
    ['invalid_to', 'a room that is no name', emit({ to: ['a\n'] })],
    ['invalid_to', 'everyone as a room', emit({ to: ['*'] })],
    ['invalid_payload', 'deep JSON', emit({ args: [nested(101)] })],
    ['unknown_action', 'another action', { action: 'fly' } as unknown as CommandInput],
    ['invalid_to', 'a join of nobody', { action: 'join', users: [], room: 'a' }],
    ['room_forbidden', 'a join', { action: 'join', users: ['7'], room: 'role:admin' }],
    ['room_forbidden', 'a leave', { action: 'leave', users: ['7'], room: 'user:7' }],
    [
      'room_forbidden',
      'join:room',
      emit({ to: ['user:7'], event: 'join:room', args: [{ room: 'private:7:8' }] }),
    ],
    [
      'room_forbidden',
      'leave:room',
      emit({ to: ['user:7'], event: 'leave:room', args: [{ room: 'conversation:1' }] }),
    ],
    [
      'invalid_payload',
      'join:room without a room',
      emit({ to: ['quiz', 'user:7'], event: 'join:room', args: [{}] }),
    ],
    ['invalid_payload', 'join:room with nothing', emit({ to: ['user:7'], event: 'join:room' })],
  ])('%s: %s', async (code, _name, command) => {
    const before = metrics.commands.value(code);
    await expect(executor.execute(command, TRUSTED)).rejects.toMatchObject({ code });
    expect(() => executor.check(command, TRUSTED)).toThrow(
      expect.objectContaining({ code }) as Error,
    );
    expect(metrics.commands.value(code)).toBe(before + 2);
  });
});

describe('accepted', () => {
  test.each<[string, CommandInput]>([
    ['everyone', emit({ to: '*' })],
    ['rooms of users and roles', emit({ to: ['user:7', 'role:admin'], except: ['user:8'] })],
    ['100 levels', emit({ args: [nested(100)] })],
    ['join:room to a room is an event', emit({ event: 'join:room', args: ['as you like'] })],
    ['join:room to everyone is an event', emit({ to: '*', event: 'join:room' })],
    ['a private room may be addressed', emit({ to: ['private:b:a'] })],
  ])('%s', async (_name, command) => {
    const before = metrics.commands.value('done');
    executor.check(command, TRUSTED);
    await executor.execute(command, TRUSTED);
    expect(metrics.commands.value('done')).toBe(before + 1);
  });
});

describe('holds', () => {
  const arrive = async (userId: string) => {
    const id = `${userId}-${Math.random()}`;
    const user = { id: userId, username: userId, roles: [] };
    const arrival = await backplane.registry.connect('/', { id, user, connectedAt: 1 }, 10);
    return arrival?.heldRooms;
  };

  test.each<[string, (room: string) => CommandInput, (room: string) => CommandInput]>([
    [
      'join and leave',
      (room) => ({ action: 'join', users: ['ann', 'bob'], room }),
      (room) => ({ action: 'leave', users: ['bob'], room }),
    ],
    [
      'join:room and leave:room',
      (room) => emit({ to: ['user:ann', 'user:bob'], event: 'join:room', args: [{ room }] }),
      (room) => emit({ to: ['user:bob'], event: 'leave:room', args: [{ room }] }),
    ],
  ])('%s: the next device of the user finds the room', async (name, join, leave) => {
    const room = `class ${name}`;
    await arrive('ann');
    await arrive('bob');
    await executor.execute(join(room), TRUSTED);
    expect(await arrive('ann')).toContain(room);
    expect(await arrive('bob')).toContain(room);
    await executor.execute(leave(room), TRUSTED);
    expect(await arrive('ann')).toContain(room);
    expect(await arrive('bob')).not.toContain(room);
  });
});
