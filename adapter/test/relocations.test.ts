import { expect, test } from 'vitest';
import { until } from './candidates.ts';
import type { Client, Node } from './cluster.ts';
import { NodeProcess } from './histories/process.ts';
import { RedisStage } from './stage.ts';

/**
 * Sessions that are made to join and leave rooms, or to end, while they are away or their node is dead:
 * what was said to be done is done to them when they come back.
 */

const stage = new RedisStage('mailbox', { prefix: 't' });
const { start } = stage;
const connect = (node: Pick<Node, 'url'>, ...rooms: string[]) => stage.connect(node, { rooms });

const say = (node: Node, room: string, number: number) => node.publish([room], 'news', number, 0);
const mailboxOf = (node: Node) => node.candidate.mailbox!;
const move = (node: Node, action: 'joinAll' | 'leaveAll', room: string) =>
  mailboxOf(node)[action]('/', { rooms: ['by'] }, [room]);
const roomsOf = (node: Node, client: Client) =>
  [...client.on(node).rooms].filter((room) => room !== client.id).sort();

/** In a process of its own, which does not get to read what it is sent, and then dies. */
async function killUnread(shards: number, meanwhile: (node: Node) => Promise<void>) {
  const node = await start({ shards });
  const options = { url: stage.redis.url, prefix: 't', shards };
  const dead = await NodeProcess.start({ kind: 'mailbox', options });
  const client = await connect(dead, 'by', 'out');
  dead.stop();
  await meanwhile(node);
  await dead.kill();
  await until(() => client.socket.disconnected);
  return { node, client };
}

test('a node that is killed with SIGKILL has not read who leaves and joins: they do when they return', async () => {
  const { node, client } = await killUnread(1, async (on) => {
    await say(on, 'out', 1);
    await move(on, 'leaveAll', 'out');
    await say(on, 'out', 2);
    await move(on, 'joinAll', 'in');
    await say(on, 'in', 3);
  });
  expect(await client.comeBack(node)).toBe(true);
  expect(roomsOf(node, client)).toEqual(['by', 'in']);
  for (const [index, room] of ['out', 'in', 'by'].entries()) await say(node, room, 4 + index);
  await until(() => client.said.includes(6));
  expect(client.said).toEqual([1, 3, 5, 6]);
});

test('with three shards they start anew instead', async () => {
  const { node, client } = await killUnread(3, async (on) => {
    await say(on, 'out', 1);
    await move(on, 'leaveAll', 'out');
    await say(on, 'out', 2);
  });
  expect(await client.comeBack(node)).toBe(false);
  expect(client.said).toEqual([]);
});

test('with three shards those who are not concerned are continued', async () => {
  const { node, client } = await killUnread(3, async (on) => {
    await say(on, 'out', 1);
    await mailboxOf(on).leaveAll('/', { rooms: ['by'] }, ['other']);
    await mailboxOf(on).leaveAll('/', { rooms: [], except: ['by'] }, ['out']);
    await say(on, 'out', 2);
  });
  expect(await client.comeBack(node)).toBe(true);
  expect(client.said).toEqual([1, 2]);
});

test('whom a killed node had not read to disconnect starts anew', async () => {
  const { node, client } = await killUnread(1, async (on) => {
    on.io.in('by').disconnectSockets();
    await mailboxOf(on).settled();
    await say(on, 'by', 1);
  });
  expect(await client.comeBack(node)).toBe(false);
  expect(client.said).toEqual([]);
});

test('what stands in one entry keeps its order', async () => {
  const { node, client } = await killUnread(1, async (on) => {
    await Promise.all([
      say(on, 'out', 1),
      move(on, 'leaveAll', 'out'),
      say(on, 'out', 2),
      move(on, 'joinAll', 'in'),
      say(on, 'in', 3),
      move(on, 'leaveAll', 'in'),
      say(on, 'in', 4),
      move(on, 'joinAll', 'in'),
      say(on, 'in', 5),
    ]);
  });
  expect(await client.comeBack(node)).toBe(true);
  expect(client.said).toEqual([1, 3, 5]);
  expect(roomsOf(node, client)).toEqual(['by', 'in']);
});

test('a return that nobody heard of, with rooms that were left, is not continued from before it', async () => {
  const { node, client } = await killUnread(1, async (on) => {
    await say(on, 'out', 1);
    await move(on, 'leaveAll', 'out');
  });
  const pid = (client.socket as unknown as { _pid: string })._pid;
  const lost = await mailboxOf(node).claim('/', pid);
  expect(lost!.rooms).not.toContain('out');
  expect(await mailboxOf(node).missed('/', lost!, client.offset!, lost!.rooms)).toHaveLength(1);
  expect(await client.comeBack(await start())).toBe(false);
});

test('a return that nobody heard of, with rooms that were joined, is continued from before it', async () => {
  const { node, client } = await killUnread(1, async (on) => {
    await say(on, 'out', 1);
    await Promise.all([move(on, 'joinAll', 'in'), say(on, 'in', 2)]);
  });
  const pid = (client.socket as unknown as { _pid: string })._pid;
  const lost = await mailboxOf(node).claim('/', pid);
  expect(await mailboxOf(node).missed('/', lost!, client.offset!, lost!.rooms)).toHaveLength(2);
  await say(node, 'in', 3);
  expect(await client.comeBack(await start())).toBe(true);
  await until(() => client.said.includes(3));
  expect(client.said).toEqual([1, 2, 3]);
});

test('who left rooms on the way and joined others since is given what those said', async () => {
  const { node, client } = await killUnread(1, async (on) => {
    await move(on, 'leaveAll', 'out');
  });
  expect(await client.comeBack(node)).toBe(true);
  await client.join('new');
  await say(node, 'by', 1);
  await until(() => client.said.includes(1));
  for (const [index, to] of [await start(), await start()].entries()) {
    await client.lose(stage.nodes[index]);
    await say(node, 'new', 2 + index);
    expect(await client.comeBack(to)).toBe(true);
    await until(() => client.said.length === 2 + index);
  }
  expect(client.said).toEqual([1, 2, 3]);
});

test('who is made to join a room is not taken for somebody who was there before', async () => {
  const { node, client } = await killUnread(1, async (on) => {
    await mailboxOf(on).joinAll('/', { rooms: ['in'] }, ['other']);
    await move(on, 'joinAll', 'in');
  });
  expect(await client.comeBack(node)).toBe(true);
  expect(roomsOf(node, client)).toEqual(['by', 'in', 'out']);
});

test('what a dead node had done is not done again', async () => {
  const [a, b] = [await start(), await start()];
  const client = await connect(a, 'by', 'room');
  await move(b, 'leaveAll', 'room');
  await move(b, 'joinAll', 'other');
  await until(() => roomsOf(a, client).join() === 'by,other');
  await client.join('room');
  await client.leave('other');
  await a.kill();
  await until(() => client.socket.disconnected);
  expect(await client.comeBack(b)).toBe(true);
  expect(roomsOf(b, client)).toEqual(['by', 'room']);
});

test.each([1, 3])(
  'who is away leaves and joins too, on a node that lives: %i shards',
  async (shards) => {
    const [a, b] = [await start({ shards }), await start({ shards })];
    const client = await connect(a, 'by', 'out');
    for (const [round, node] of [b, a, a].entries()) {
      const at = round === 0 ? a : round === 1 ? b : a;
      await client.lose(at);
      await move(b, 'leaveAll', 'out');
      await move(b, 'joinAll', 'in');
      await mailboxOf(at).caughtUp();
      await say(b, 'in', round);
      await say(b, 'out', 9);
      expect(await client.comeBack(node)).toBe(true);
      expect(roomsOf(node, client)).toEqual(['by', 'in']);
      await client.leave('in');
      await client.join('out');
    }
    expect(client.said).toEqual([0, 1, 2]);
  },
);

test('who is disconnected while it is away starts anew', async () => {
  const [a, b] = [await start(), await start()];
  const client = await connect(a, 'by');
  await client.lose(a);
  b.io.in('by').disconnectSockets();
  await mailboxOf(b).settled();
  await mailboxOf(a).caughtUp();
  expect(await client.comeBack(b)).toBe(false);
});

test('a room that was left while Redis was away is not come back to', async () => {
  const [a, b] = [await start({ timeoutMs: 300 }), await start({ timeoutMs: 300 })];
  const client = await connect(a, 'by', 'out');
  await stage.redis.kill();
  await until(() => !mailboxOf(a).health.up);
  await client.leave('out');
  await stage.redis.restart();
  await until(() => mailboxOf(a).health.up && mailboxOf(b).health.up);
  // What was lost before another process of Redis began is not continued: a first event gives a new place.
  await say(a, 'by', 1);
  await until(() => client.said.includes(1));
  await client.lose(a);
  expect(await client.comeBack(b)).toBe(true);
  expect(roomsOf(b, client)).toEqual(['by']);
});

test('a node says up to where records tell what it has made of its sessions', async () => {
  const a = await start();
  const client = await connect(a, 'by');
  await move(a, 'joinAll', 'in');
  await until(() => client.on(a).rooms.has('in'));
  const isSaid = async () => {
    const [read, relocated] = await Promise.all(
      ['read', 'relocated'].map((of) => stage.admin.hget(`{t:0}:${of}`, mailboxOf(a).nodeId)),
    );
    return Boolean(relocated && read && read >= relocated);
  };
  await until(isSaid);
});
