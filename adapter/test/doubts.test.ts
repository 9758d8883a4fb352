import type { RedisAway } from '@streamgate/adapter';
import { expect, test } from 'vitest';
import { until } from './candidates.ts';
import type { Client, Node } from './cluster.ts';
import { HeldAnswers, HeldReads } from './held-reads.ts';
import { RedisStage } from './stage.ts';

/**
 * Redis takes what is published, but the answer is not heard in time: the node serves its own sessions
 * itself, and everybody is to get it once all the same, whoever was there, away, or goes elsewhere.
 */

const stage = new RedisStage('mailbox', { prefix: 't', timeoutMs: 300 });
const { start } = stage;
const connect = (node: Node) => stage.connect(node, { rooms: ['room'] });

const say = (node: Node, number: number) => node.publish(['room'], 'news', number, 0);

/** From here on the node reads nothing back. @param client hears 0 before */
async function lag(node: Node, client: Client): Promise<HeldReads> {
  const reads = new HeldReads(node);
  await say(node, 0);
  await until(() => client.said.includes(0));
  return reads;
}

/** Is refused, though Redis has it. */
async function sayUnheard(node: Node, number: number): Promise<RedisAway> {
  const answers = new HeldAnswers(node);
  const refusal = say(node, number).then(
    () => Promise.reject(new Error('it was taken')),
    (error: RedisAway) => error,
  );
  await until(() => answers.waiting === 1);
  const error = await refusal;
  answers.letAll();
  return error;
}

const serve = (node: Node, number: number, refusal: RedisAway) =>
  node.candidate.locally(node.io, ['room'], ['news', number, 0], refusal);

async function isUp(node: Node): Promise<void> {
  await until(() => node.candidate.mailbox!.health.up);
}

test('who was there has it once, who was away gets it on return, here and elsewhere', async () => {
  const [a, b] = [await start(), await start()];
  const [there, away, gone, other] = [
    await connect(a),
    await connect(a),
    await connect(a),
    await connect(b),
  ];
  const reads = await lag(a, there);
  await until(() => [away, gone].every((client) => client.said.length === 1));
  await away.lose(a);
  await gone.lose(a);
  serve(a, 1, await sayUnheard(a, 1));
  await until(() => there.said.length === 2);
  reads.letAll();
  await isUp(a);
  expect(await away.comeBack(a)).toBe(true);
  expect(await gone.comeBack(b)).toBe(true);
  await say(a, 2);
  for (const client of [there, away, gone, other]) {
    await until(() => client.said.includes(2));
    expect(client.said).toEqual([0, 1, 2]);
  }
});

test.each(['lives', 'is dead'])(
  'who goes elsewhere with it has it once, when its node %s',
  async (how) => {
    const [a, b] = [await start(), await start()];
    const client = await connect(a);
    const reads = await lag(a, client);
    serve(a, 2, await sayUnheard(a, 2));
    await until(() => client.said.length === 2);
    if (how === 'lives') await client.lose(a);
    else await a.kill();
    await until(() => client.socket.disconnected);
    await say(b, 3);
    const back = client.comeBack(b);
    reads.letAll();
    expect(await back).toBe(true);
    await say(b, 4);
    await until(() => client.said.includes(4));
    expect(client.said).toEqual([0, 2, 3, 4]);
  },
);

test('what was said to nobody in its place is delivered when it is read back', async () => {
  const a = await start();
  const client = await connect(a);
  const reads = await lag(a, client);
  await sayUnheard(a, 1);
  reads.letAll();
  await isUp(a);
  await say(a, 2);
  await until(() => client.said.includes(2));
  expect(client.said).toEqual([0, 1, 2]);
});

test('who serves it too late serves nobody', async () => {
  const a = await start();
  const client = await connect(a);
  const reads = await lag(a, client);
  const refusal = await sayUnheard(a, 1);
  reads.letAll();
  await until(() => client.said.includes(1));
  serve(a, 1, refusal);
  await isUp(a);
  await say(a, 2);
  await until(() => client.said.includes(2));
  expect(client.said).toEqual([0, 1, 2]);
});

test('what Redis has taken, but was not read back yet, is refused too, and first', async () => {
  const [a, b] = [await start(), await start()];
  const [there, goes, other] = [await connect(a), await connect(a), await connect(b)];
  const reads = await lag(a, there);
  // Others have it before 2: whoever is served 2 now has it out of this order, and its sender knows.
  await say(b, 1);
  const refused: number[] = [];
  const sayOrServe = (number: number) =>
    say(a, number).catch((refusal: RedisAway) => {
      refused.push(number);
      serve(a, number, refusal);
    });
  const said = sayOrServe(2);
  // What Redis answers later is answered here.
  await a.candidate.mailbox!.notify({ namespace: '/', rooms: ['room'], body: '' });
  const answers = new HeldAnswers(a);
  await Promise.all([said, sayOrServe(3)]);
  answers.letAll();
  expect(refused).toEqual([2, 3]);
  await until(() => there.said.length === 3 && goes.said.length === 3);
  await goes.lose(a);
  const back = goes.comeBack(b);
  reads.letAll();
  expect(await back).toBe(true);
  await isUp(a);
  await say(a, 4);
  for (const client of [there, goes]) {
    await until(() => client.said.includes(4));
    expect(client.said).toEqual([0, 2, 3, 1, 4]);
  }
  await until(() => other.said.includes(4));
  expect(other.said).toEqual([0, 1, 2, 3, 4]);
});

test('what cannot even be sent is not refused before what waits for its answer', async () => {
  const a = await start();
  const client = await connect(a);
  const refused: number[] = [];
  const sayOrServe = async (number: number) => {
    const said = say(a, number).catch((refusal: RedisAway) => {
      refused.push(number);
      serve(a, number, refusal);
    });
    // Sent at the end of this turn.
    await new Promise((resolve) => setImmediate(resolve));
    return { said };
  };
  stage.redis.pause();
  const first = await sayOrServe(1);
  // As when Redis has ended its side of the connection, before that is closed.
  for (const { stream } of a.candidate.connections) stream?.end();
  const second = await sayOrServe(2);
  await Promise.all([first.said, second.said]);
  stage.redis.resume();
  expect(refused).toEqual([1, 2]);
  await until(() => client.said.length === 2);
  expect(client.said).toEqual([1, 2]);
});

test('what was published is where it says: not before it was delivered here too', async () => {
  const a = await start();
  const client = await connect(a);
  const reads = await lag(a, client);
  let isSaid = false;
  const said = say(a, 1).then(() => (isSaid = true));
  await a.candidate.mailbox!.notify({ namespace: '/', rooms: ['room'], body: '' });
  expect(isSaid).toBe(false);
  reads.letAll();
  await said;
  await until(() => client.said.includes(1));
});

test('of what was served here nothing is given twice to who comes back here', async () => {
  const a = await start();
  const client = await connect(a);
  const reads = await lag(a, client);
  serve(a, 2, await sayUnheard(a, 2));
  await until(() => client.said.length === 2);
  await client.lose(a);
  await isUp(a);
  const back = client.comeBack(a);
  reads.letAll();
  expect(await back).toBe(true);
  await isUp(a);
  await say(a, 3);
  await until(() => client.said.includes(3));
  expect(client.said).toEqual([0, 2, 3]);
});
